//! From text to 18 or 15 ASCII characters. Works on characters and bytes, never on byte ranges of unknown text.

use super::error::IdNumberError;
use super::other_document::OtherDocument;

/// Text of the right length and alphabet: digits, and X only as the 18th.
pub(super) enum Cleaned {
    Eighteen([u8; 18]),
    Fifteen([u8; 15]),
}

/// What lenient cleaning did.
#[derive(Clone, Copy, Default)]
pub(super) struct Changes {
    pub(super) any: bool,
    pub(super) look_alikes: bool,
}

/// Takes the text as it is but for a lower-case x.
pub(super) fn strict(text: &str) -> Result<Cleaned, IdNumberError> {
    from_ascii(text.as_bytes()).ok_or_else(|| fault(text, text.chars().take(19).count()))
}

/// Takes the text after dropping separators and mapping the characters that stand for others.
pub(super) fn lenient(text: &str) -> Result<(Cleaned, Changes), IdNumberError> {
    let mut buffer = [0; 18];
    let mut length = 0;
    let mut changes = Changes::default();
    for character in text.chars() {
        if is_separator(character) {
            changes.any = true;
            continue;
        }
        let slot = buffer.get_mut(length).ok_or_else(|| fault(text.trim(), 19))?;
        let mapped = plain(character);
        changes.any |= mapped != character;
        // What is no ASCII by now is wrong at any place; a NUL says so as well.
        *slot = u8::try_from(mapped).ok().filter(u8::is_ascii).unwrap_or(0);
        length += 1;
    }
    if length == 18 {
        for byte in &mut buffer {
            if let Some(digit) = look_alike_digit(*byte) {
                *byte = digit;
                changes = Changes { any: true, look_alikes: true };
            }
        }
    }
    let cleaned = from_ascii(&buffer[..length]).ok_or_else(|| fault(text.trim(), length))?;
    Ok((cleaned, changes))
}

/// Why a text with so many characters could not be taken.
fn fault(text: &str, length: usize) -> IdNumberError {
    match OtherDocument::recognise(text) {
        Some(document) => IdNumberError::OtherDocument(document),
        None if matches!(length, 15 | 18) => IdNumberError::Character,
        None => IdNumberError::Length,
    }
}

fn from_ascii(bytes: &[u8]) -> Option<Cleaned> {
    if let Ok(mut eighteen) = <[u8; 18]>::try_from(bytes) {
        eighteen[17].make_ascii_uppercase();
        let [body @ .., last] = &eighteen;
        let right = body.iter().all(u8::is_ascii_digit) && (last.is_ascii_digit() || *last == b'X');
        return right.then_some(Cleaned::Eighteen(eighteen));
    }
    let fifteen = <[u8; 15]>::try_from(bytes).ok()?;
    fifteen.iter().all(u8::is_ascii_digit).then_some(Cleaned::Fifteen(fifteen))
}

/// Blanks of all widths, zero-width characters, hyphens and dashes.
fn is_separator(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
        || matches!(character, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '－')
}

/// The ASCII character that a full-width form or another alphabet's X stands for; otherwise the character itself.
fn plain(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => {
            let ascii = char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character);
            if ascii == '*' { 'X' } else { ascii }
        }
        'Ⅹ' | 'ⅹ' | 'Х' | 'х' | 'Χ' | 'χ' | '×' | '✕' | '╳' | '*' => 'X',
        'О' | 'о' | 'Ο' | 'ο' => 'O',
        _ => character,
    }
}

fn look_alike_digit(byte: u8) -> Option<u8> {
    match byte {
        b'O' | b'o' => Some(b'0'),
        b'I' | b'l' | b'|' => Some(b'1'),
        _ => None,
    }
}
