//! Places where a test lets the process die, each by name: `SHENFEN_CRASH_AT=after-commit` ends it there as SIGKILL would.
//! Compiled in with the feature `crash-points` only.

/// Ends the process if this is the place that the environment names.
#[cfg(feature = "crash-points")]
pub(crate) fn crash_point(place: &str) {
    if std::env::var("SHENFEN_CRASH_AT").is_ok_and(|named| named == place) {
        std::process::abort();
    }
}

/// Does nothing.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn crash_point(_place: &str) {}
