//! Base64 and hexadecimal as clients send them. Base64 may have line breaks, be a `data:` URL, use either alphabet, and lack
//! its padding.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes base64 (RFC 4648, section 4 or 5); `None` for anything else.
///
/// Line breaks and tabs may be anywhere, as mail encoders insert them. The two alphabets may not be mixed.
pub(crate) fn decode(text: String) -> Option<Vec<u8>> {
    let mut text = without_data_prefix(text)?.into_bytes();
    text.retain(|byte| !matches!(byte, b'\r' | b'\n' | b'\t'));
    let has = |of: [u8; 2]| text.iter().any(|byte| of.contains(byte));
    if has([b'-', b'_']) {
        if has([b'+', b'/']) {
            return None;
        }
        for byte in &mut text {
            match byte {
                b'-' => *byte = b'+',
                b'_' => *byte = b'/',
                _ => {}
            }
        }
    }
    BASE64.decode(text).ok()
}

/// Decodes `N` bytes of hexadecimal digits of either case; `None` for anything else.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// The part after `data:image/jpeg;base64,` (RFC 2397), or all of it without such a prefix.
fn without_data_prefix(mut text: String) -> Option<String> {
    let start = text.len() - text.trim_ascii_start().len();
    let is_url = text.get(start..start + 5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    if !is_url {
        return Some(text);
    }
    // A media type is short; without a limit this would search a whole picture for a comma.
    let comma = start + text.as_bytes()[start..].iter().take(200).position(|&byte| byte == b',')?;
    let says_base64 = text.get(start..comma)?.to_ascii_lowercase().ends_with(";base64");
    says_base64.then(|| text.split_off(comma + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes whose base64 has both characters that the alphabets disagree on, and padding.
    const BYTES: &[u8] = &[0xfb, 0xff, 0xbf, 0x00, 0xff, 0xff, 0xfe, 0x01];

    fn check(text: &str, expected: Option<&[u8]>) {
        assert_eq!(decode(text.to_owned()).as_deref(), expected, "{text}");
    }

    #[test]
    fn decodes_all_usual_forms() {
        for text in [
            "+/+/AP///gE=",
            "-_-_AP___gE=",
            "-_-_AP___gE",
            "+/+/\r\nAP//\r\n/gE=\r\n",
            "data:image/jpeg;base64,+/+/AP///gE=",
            "DATA:image/png;charset=utf-8;BASE64,-_-_AP___gE",
            "\ndata:;base64,+/+/AP///gE=\n",
        ] {
            check(text, Some(BYTES));
        }
        check("", Some(b""));
    }

    #[test]
    fn rejects_everything_else() {
        for text in [
            "+/+/ AP///gE=",
            "+/-_AP///gE=",
            "+/+/AP///gE==",
            "+/+/AP///gF=",
            "data:image/jpeg,+/+/AP///gE=",
            "data:image/jpeg;base64",
            "=",
            "QQ==QQ==",
            "图",
            "data图",
            "A",
        ] {
            check(text, None);
        }
    }
}
