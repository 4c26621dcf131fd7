//! The target `picture` in a process of its own: it counts the memory of the whole process.

use shenfen_fuzz::mutation::drive;
use shenfen_fuzz::targets::picture;

#[test]
fn picture_keeps_its_promises() {
    // The default hook would take memory for a backtrace of every decoder's panic, and that is counted too.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    drive("picture", 1000, picture::check);
}
