//! How much memory this process may take: what the machine has, or what the system grants its group of processes.

use std::fs;
use std::path::{Path, PathBuf};

/// What the program takes without pictures: networks, tables and threads for I/O (docs/operations.md).
const BASE: u64 = 96 << 20;
/// What a reading thread takes: the networks' buffers, and a picture that it need not ask for ([`shenfen_worker::OWN`]).
const PER_THREAD: u64 = (24 << 20) + shenfen_worker::OWN;
/// The least for large pictures, in bytes: a photo of 12 megapixels.
const LEAST: u64 = 64 << 20;

/// Bytes for large pictures that are read at once: what the limit of this process leaves beside `threads` reading threads; `None` where the
/// system does not say how much memory there is.
pub(crate) fn for_large_pictures(threads: usize) -> Option<u64> {
    let taken = BASE + PER_THREAD * threads as u64;
    limit(Path::new("/")).map(|limit| limit.saturating_sub(taken).max(LEAST))
}

/// The least of the machine's memory and the limits of the control groups that this process is in, of either version (cgroups(7)).
fn limit(root: &Path) -> Option<u64> {
    let machine = fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    });
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    // A group's limit also holds for the groups below it. Without one it says `max`, or a number beyond any machine.
    let files = groups.lines().filter_map(|line| limit_files(root, line)).flatten();
    let limits = files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    limits.chain(machine).min()
}

/// The files that hold the limits of the group that a line names, and of those above it.
fn limit_files(root: &Path, line: &str) -> Option<Vec<PathBuf>> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, group) = (parts.next()?, parts.next()?);
    let (folder, name) = match controllers {
        "" => ("sys/fs/cgroup", "memory.max"),
        "memory" => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        _ => return None,
    };
    let group = Path::new(group.trim_start_matches('/'));
    Some(group.ancestors().map(|above| root.join(folder).join(above).join(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        2048 kB\nMemFree:  1 kB\n");

    #[test]
    fn least_limit_of_machine_and_groups_holds() {
        let group = ("proc/self/cgroup", "0::/pods/one\n");
        let of_group = |one, pods| {
            [MEMINFO, group, ("sys/fs/cgroup/pods/one/memory.max", one), ("sys/fs/cgroup/pods/memory.max", pods)]
        };
        for (files, expected) in [
            (&of_group("1000000\n", "max\n")[..], 1_000_000),
            (&of_group("max\n", "500000\n"), 500_000),
            (&of_group("max\n", "max\n"), 2048 * 1024),
            (&[MEMINFO, group, ("sys/fs/cgroup/memory.max", "700000\n")], 700_000),
            (
                &[
                    MEMINFO,
                    ("proc/self/cgroup", "9:cpu:/a\n4:memory:/a\n"),
                    ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "600000\n"),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ],
                600_000,
            ),
            (&[MEMINFO], 2048 * 1024),
        ] {
            assert_eq!(limit(system(files).path()), Some(expected), "{files:?}");
        }
        assert_eq!(limit(system(&[]).path()), None);
    }
}
