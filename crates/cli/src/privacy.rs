//! What the system lets others see of a process that holds pictures and fields.

/// Ends core dumps of this process, and lets no process of the same user look into its memory (`/proc`, ptrace), as it could before: a
/// dump of a worker holds the pictures and numbers that it has just read. Where the system refuses, the log says so.
#[cfg(target_os = "linux")]
pub(crate) fn close_memory() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let no_cores = Rlimit { current: Some(0), maximum: Some(0) };
    let outcomes = [setrlimit(Resource::Core, no_cores), set_dumpable_behavior(DumpableBehavior::NotDumpable)];
    for error in outcomes.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "the memory of this process is open to others of the same user");
    }
}

/// Other systems dump no memory unless they are told to.
#[cfg(not(target_os = "linux"))]
pub(crate) fn close_memory() {}
