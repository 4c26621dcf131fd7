//! Changes to corpus inputs that depend on a seed alone, so that the ordinary tests try the same inputs everywhere.

use std::fs;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Longest stretch that one change copies, repeats or removes, in bytes.
const MAX_STRETCH: usize = 64;
/// Most changes made to one input, one after another.
const MAX_CHANGES: usize = 4;

/// Hands `check` every input of the target's committed corpus, then `count` inputs made of them.
///
/// # Panics
/// When `check` does, or when there is no corpus. The input that made it panic is written to a file, whose name is printed.
pub fn drive(target: &str, count: usize, check: fn(&[u8])) {
    let corpus = corpus(target).expect("the committed corpus can be read");
    assert!(!corpus.is_empty(), "no corpus of {target}");
    for (name, bytes) in &corpus {
        run(target, name, bytes, check);
    }
    let mut rng = SmallRng::seed_from_u64(count as u64);
    for number in 0..count {
        let (name, bytes) = &corpus[number % corpus.len()];
        let other = &corpus[rng.random_range(0..corpus.len())].1;
        let mut changed = bytes.clone();
        for _ in 0..rng.random_range(1..=MAX_CHANGES) {
            change(&mut changed, other, &mut rng);
        }
        run(target, &format!("{name}-changed-{number}"), &changed, check);
    }
}

/// The committed corpus: file name and content, by name.
fn corpus(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| Ok((name(path), fs::read(path)?))).collect()
}

fn run(target: &str, name: &str, bytes: &[u8], check: fn(&[u8])) {
    let Err(panic) = panic::catch_unwind(|| check(bytes)) else { return };
    let file = std::env::temp_dir().join(format!("{target}-{name}"));
    let written = fs::write(&file, bytes).map(|()| file.display().to_string());
    let place = written.unwrap_or_else(|error| format!("lost: {error}"));
    #[expect(clippy::print_stderr, reason = "for whoever reads the test's output")]
    {
        eprintln!("{target} fails with the input {place}");
    }
    panic::resume_unwind(panic);
}

/// Makes one change.
fn change(bytes: &mut Vec<u8>, other: &[u8], rng: &mut SmallRng) {
    let at = rng.random_range(0..=bytes.len());
    let end = (at + rng.random_range(1..=MAX_STRETCH)).min(bytes.len());
    match rng.random_range(0..8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF, b'\n', b'"', b'/'][rng.random_range(0..8)],
        2 if at < bytes.len() => bytes[at] = rng.random(),
        3 => drop(bytes.drain(at..end)),
        4 => bytes.truncate(at),
        5 => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        6 if !other.is_empty() => {
            let from = rng.random_range(0..other.len());
            let to = (from + rng.random_range(1..=MAX_STRETCH)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        _ => bytes.insert(at, rng.random()),
    }
}
