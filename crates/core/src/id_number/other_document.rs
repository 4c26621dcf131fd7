//! Numbers of other identity documents, told by their shape alone.

/// An identity document whose number is no resident ID number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OtherDocument {
    /// Hong Kong identity card: one or two letters, six digits, and a check digit with or without brackets.
    HongKongId,
    /// Macau resident identity card, recognised by its bracketed check digit: 1234567(8).
    MacauId,
    /// National identity card of Taiwan: a letter and nine digits, the first of them 1, 2, 8 or 9.
    TaiwanId,
    /// Mainland travel permit for residents of Hong Kong and Macau: H or M and eight or ten digits.
    TravelPermit,
    /// Passport of the People's Republic: E or G with eight digits, or E, a letter and seven digits.
    Passport,
    /// Foreigners' permanent resident card before 2023: three letters and twelve digits.
    OldForeignerCard,
}

impl OtherDocument {
    /// The document whose number has the shape of `text`; letters in either case.
    pub fn recognise(text: &str) -> Option<OtherDocument> {
        let bytes = text.as_bytes();
        if bytes.len() > 15 || !text.is_ascii() {
            return None;
        }
        let mut shape = [0; 15];
        for (slot, byte) in shape.iter_mut().zip(bytes) {
            *slot = match byte {
                b'0'..=b'9' => b'9',
                b'a'..=b'z' | b'A'..=b'Z' => b'A',
                other => *other,
            };
        }
        let first = bytes.first()?.to_ascii_uppercase();
        match &shape[..bytes.len()] {
            b"AAA999999999999" => Some(OtherDocument::OldForeignerCard),
            b"A999999999" if matches!(bytes[1], b'1' | b'2' | b'8' | b'9') => Some(OtherDocument::TaiwanId),
            b"A99999999" | b"A9999999999" if matches!(first, b'H' | b'M') => Some(OtherDocument::TravelPermit),
            b"A99999999" if matches!(first, b'E' | b'G') => Some(OtherDocument::Passport),
            b"AA9999999" if first == b'E' => Some(OtherDocument::Passport),
            b"A9999999" | b"AA9999999" | b"A999999(9)" | b"AA999999(9)" => Some(OtherDocument::HongKongId),
            b"A999999A" | b"AA999999A" | b"A999999(A)" | b"AA999999(A)" if last_letter(bytes) == Some(b'A') => {
                Some(OtherDocument::HongKongId)
            }
            b"9999999(9)" => Some(OtherDocument::MacauId),
            _ => None,
        }
    }

    /// The stable name; part of the contract.
    pub fn name(self) -> &'static str {
        match self {
            OtherDocument::HongKongId => "hong_kong_id",
            OtherDocument::MacauId => "macau_id",
            OtherDocument::TaiwanId => "taiwan_id",
            OtherDocument::TravelPermit => "travel_permit",
            OtherDocument::Passport => "passport",
            OtherDocument::OldForeignerCard => "old_foreigner_card",
        }
    }
}

fn last_letter(bytes: &[u8]) -> Option<u8> {
    bytes.iter().rev().find(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_uppercase)
}
