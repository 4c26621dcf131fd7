//! Message headers: ours, and those the broker adds.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldArray, FieldTable};

/// How many attempts have failed. The name on the wire dates from when attempts were counted here; messages in flight
/// and other publishers use it, so it stays.
const FAILURES: &str = "x-shenfen-attempt";
const REASON: &str = "x-shenfen-reason";
/// Stands on a dead letter that is no job of its publisher's, whatever it says.
const REFUSED: &str = "x-shenfen-refused";

/// The headers of a message that this crate publishes.
pub(crate) fn table(failures: u32, reason: Option<&str>, refused: bool) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert(FAILURES.into(), AMQPValue::LongLongInt(failures.into()));
    if let Some(reason) = reason {
        table.insert(REASON.into(), AMQPValue::LongString(reason.into()));
    }
    if refused {
        table.insert(REFUSED.into(), AMQPValue::Boolean(true));
    }
    table
}

/// How many attempts at the job had failed when this message was published; 0 where the header is missing.
pub(crate) fn failures(properties: &BasicProperties) -> u32 {
    number(properties, FAILURES).unwrap_or(0)
}

/// Whether a worker refused to take this message for a job.
pub(crate) fn refused(properties: &BasicProperties) -> bool {
    get(properties, REFUSED).is_some()
}

/// How often the broker delivered this message before without getting an acknowledgement.
pub(crate) fn deliveries(properties: &BasicProperties, redelivered: bool) -> u32 {
    number(properties, "x-delivery-count").unwrap_or(u32::from(redelivered))
}

/// Why a message is dead: our reason, else the broker's.
pub(crate) fn reason(properties: &BasicProperties) -> String {
    if let Some(reason) = get(properties, REASON).and_then(text) {
        return reason;
    }
    match last_death(properties).and_then(|death| death.inner().get("reason")).and_then(text).as_deref() {
        Some("delivery_limit") => "reached the delivery limit without an acknowledgement".to_owned(),
        Some(other) => format!("dead-lettered by the broker: {other}"),
        None => "no reason given".to_owned(),
    }
}

/// Whether it was the broker that gave a message up, at its delivery limit.
pub(crate) fn given_up_by_broker(properties: &BasicProperties) -> bool {
    let reason = last_death(properties).and_then(|death| death.inner().get("reason")).and_then(text);
    reason.as_deref() == Some("delivery_limit")
}

/// When the broker dead-lettered a message, or else when it was published; seconds since 1970.
pub(crate) fn time(properties: &BasicProperties) -> Option<u64> {
    match last_death(properties).and_then(|death| death.inner().get("time")) {
        Some(AMQPValue::Timestamp(seconds)) => Some(*seconds),
        _ => *properties.timestamp(),
    }
}

/// The newest entry of `x-death`, which the broker puts first.
fn last_death(properties: &BasicProperties) -> Option<&FieldTable> {
    let AMQPValue::FieldArray(deaths) = get(properties, "x-death")? else { return None };
    match FieldArray::as_slice(deaths).first()? {
        AMQPValue::FieldTable(death) => Some(death),
        _ => None,
    }
}

fn get<'a>(properties: &'a BasicProperties, key: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(key)
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// Clients of other languages choose other widths for the same number.
fn number(properties: &BasicProperties, key: &str) -> Option<u32> {
    let number = match *get(properties, key)? {
        AMQPValue::ShortShortInt(n) => i64::from(n),
        AMQPValue::ShortShortUInt(n) => i64::from(n),
        AMQPValue::ShortInt(n) => i64::from(n),
        AMQPValue::ShortUInt(n) => i64::from(n),
        AMQPValue::LongInt(n) => i64::from(n),
        AMQPValue::LongUInt(n) => i64::from(n),
        AMQPValue::LongLongInt(n) => n,
        _ => return None,
    };
    u32::try_from(number).ok()
}
