//! Lists the files of `models/` that exist, so that they can be compiled into the binary.
//!
//! A checkout without weights still compiles: the list is then empty, and loading says so.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

const FOLDERS: [&str; 3] = ["locator", "lines", "recogniser"];
const FILES: [&str; 3] = ["config.json", "model.safetensors", "charset.txt"];

fn main() -> io::Result<()> {
    let manifest = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let models = Path::new(&manifest).join("../../models");
    let mut table = String::from("&[\n");
    for relative in relative_paths() {
        let path = models.join(&relative);
        if path.is_file() {
            println!("cargo::rerun-if-changed={}", path.display());
            let path = path.canonicalize()?;
            writeln!(table, "    ({relative:?}, include_bytes!({path:?})),").map_err(io::Error::other)?;
        }
    }
    table.push(']');
    // New files change the folders' times; named files change their own.
    for folder in FOLDERS.iter().map(|name| models.join(name)).chain([models.clone()]).filter(|path| path.is_dir()) {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("embedded.rs"), table)
}

fn relative_paths() -> impl Iterator<Item = String> {
    let in_folders = FOLDERS.iter().flat_map(|folder| FILES.iter().map(move |file| format!("{folder}/{file}")));
    std::iter::once("SHA256SUMS".to_owned()).chain(in_folders)
}
