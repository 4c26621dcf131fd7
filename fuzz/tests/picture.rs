//! The target `picture` in a process of its own: it counts the memory of the whole process.

use shenfen_fuzz::mutation::drive;
use shenfen_fuzz::targets::picture;

#[test]
fn picture_keeps_its_promises() {
    drive("picture", 1000, picture::check);
}
