//! Names in archives.

use super::super::encoding;

/// A name in an archive as text, without a leading `./`. Packers that know no Unicode write the code page of their system, which in China is
/// GBK.
pub(super) fn decoded(raw: &[u8]) -> Option<String> {
    let name = encoding::decoded_name(raw)?;
    let mut rest = name.as_str();
    while let Some(inner) = rest.strip_prefix("./") {
        rest = inner;
    }
    Some(rest.to_owned())
}

/// What is wrong with a name. Nothing is ever written under it, but a name that leads out of its archive is no accident, and programs
/// that use the stored results may take it for a path.
pub(super) fn fault(name: &str) -> Option<&'static str> {
    let has_drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    if name.starts_with('/') || has_drive {
        Some("its name is an absolute path")
    } else if name.contains('\\') {
        Some("its name has backslashes: pack it with slashes between folders")
    } else if name.contains(char::is_control) {
        Some("its name has control characters")
    } else if name.split('/').any(|part| part == "..") {
        Some("its name leads out of the archive")
    } else {
        None
    }
}

/// A name that can be shown on one line.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}

/// Whether a part of the name begins with a dot, as those of the files that macOS adds do.
pub(super) fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_utf8_and_gbk() {
        assert_eq!(decoded("./a/张.jpg".as_bytes()).as_deref(), Some("a/张.jpg"));
        assert_eq!(decoded(b"\xd5\xc5\xc8\xfd.jpg").as_deref(), Some("张三.jpg"));
        assert_eq!(decoded(b"\xff\xff.jpg"), None);
    }

    #[test]
    fn faults_of_names() {
        for name in ["/a.jpg", "c:a.jpg", "C:/a.jpg", "a\\b.jpg", "a/../../b.jpg", "..", "a\0.jpg", "a\n.jpg"] {
            assert!(fault(name).is_some(), "{name:?}");
        }
        for name in ["a.jpg", "a..b/c...jpg", "张/三.jpg", ":a.jpg", "张:a.jpg", ""] {
            assert_eq!(fault(name), None, "{name:?}");
        }
    }
}
