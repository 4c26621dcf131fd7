//! Any bytes are either a job message that survives writing and parsing, or refused in words of our own.

use shenfen_queue::Message;

/// The longest text of a message that a table holds, in bytes.
const MAX_TEXT: usize = 300;

/// Checks the body of a message, without a message identifier and with one.
///
/// # Panics
/// When a message does not survive writing and parsing, is not the same job each time, or holds text that no table can.
pub fn check(bytes: &[u8]) {
    for message_id in [None, Some("publisher-7")] {
        let Ok(message) = Message::parse(bytes, message_id) else { continue };
        assert!(Message::parse(bytes, message_id).as_ref() == Ok(&message), "parsing depends on more than the bytes");
        assert!(Message::parse(&message.to_json(), None).as_ref() == Ok(&message), "written and parsed differently");
        for text in [Some(&message.batch), message.reference.as_ref()].into_iter().flatten() {
            assert!((1..=MAX_TEXT).contains(&text.len()) && !text.contains(char::is_control));
        }
    }
}
