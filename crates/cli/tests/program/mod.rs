//! The built program in a folder of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A working folder for the program; its database is `shenfen.db` in it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, with its folders.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The program with these arguments and without the variables of the caller that it reads.
    pub(crate) fn shenfen(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shenfen"));
        let ours = |name: &OsStr| name.as_encoded_bytes().starts_with(b"SHENFEN_") || name == "RUST_LOG";
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.shenfen(arguments).output().unwrap())
    }

    /// Starts the program and lets it run.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.shenfen(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The stored results in clear; none while there is no database.
    pub(crate) fn results(&self) -> Vec<Value> {
        self.run(&["results", "--format", "json", "--reveal", "--reason", "a test"]).lines()
    }

    /// The counts of the only batch; `None` before it exists.
    pub(crate) fn batch(&self) -> Option<Value> {
        self.run(&["batches", "--format", "json"]).lines().pop()
    }
}

/// A program that has ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Its JSON Lines.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Asserts that it failed with one line that contains all these words.
    #[track_caller]
    pub(crate) fn fails_in_one_line(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert!(words.iter().all(|word| self.err.contains(word)), "{words:?} in {}", self.err);
    }
}

/// The made-up cards that come with the program.
pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples")
}

/// The pictures among them.
pub(crate) fn sample_pictures() -> Vec<PathBuf> {
    let files = fs::read_dir(samples()).unwrap().map(|entry| entry.unwrap().path());
    let mut pictures: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|kind| kind == "jpg")).collect();
    pictures.sort();
    pictures
}
