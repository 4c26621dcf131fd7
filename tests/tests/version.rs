//! One version number, and one minimum version of Rust, wherever they are written.

#![expect(clippy::unwrap_used, reason = "a failure of a helper fails the test")]

use std::fs;
use std::path::Path;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const RUST_VERSION: &str = env!("CARGO_PKG_RUST_VERSION");

#[test]
fn deployment_files_name_the_version_of_the_workspace() {
    assert_contains("Dockerfile", &format!("org.opencontainers.image.version=\"{VERSION}\""));
    assert_contains("docker-compose.yml", &format!("image: shenfen:{VERSION}\n"));
    assert_contains("deploy/kubernetes/worker.yaml", &format!("image: shenfen:{VERSION}\n"));
}

#[test]
fn api_description_and_trainer_have_the_version_of_the_workspace() {
    assert_contains("crates/api/src/openapi.json", &format!("\"title\": \"Shenfen\",\n  \"version\": \"{VERSION}\""));
    assert_contains("training/pyproject.toml", &format!("\nversion = \"{VERSION}\"\n"));
}

#[test]
fn changelog_begins_with_the_version_of_the_workspace() {
    let changelog = text_of("CHANGELOG.md");
    let first = changelog.lines().find(|line| line.starts_with("## ")).unwrap();
    assert!(first.contains(VERSION), "{first}");
}

#[test]
fn builds_use_the_minimum_version_of_rust() {
    assert_contains("Dockerfile", &format!("FROM rust:{RUST_VERSION}-"));
    assert_contains(".github/workflows/ci.yml", &format!("container: rust:{RUST_VERSION}-"));
    assert_contains("README.md", &format!("Rust {RUST_VERSION}"));
}

fn assert_contains(file: &str, expected: &str) {
    assert!(text_of(file).contains(expected), "{file} does not say {expected:?}");
}

fn text_of(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}
