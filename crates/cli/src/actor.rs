//! Who runs a command, as the audit log names them.

/// The user of the operating system, by name where the system knows one.
pub(crate) fn actor() -> String {
    user().unwrap_or_else(|| "a user of this machine".to_owned())
}

#[cfg(target_os = "linux")]
fn user() -> Option<String> {
    let id = rustix::process::getuid().as_raw();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = known.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    Some(name.map_or_else(|| format!("user {id}"), |name| format!("user {name} ({id})")))
}

#[cfg(not(target_os = "linux"))]
fn user() -> Option<String> {
    std::env::var("USER").ok().map(|name| format!("user {name}"))
}
