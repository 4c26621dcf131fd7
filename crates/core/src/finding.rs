//! A doubt about a field or a card: what looks wrong, by which rule, how bad.

use serde::{Deserialize, Serialize};

use crate::reading::FieldName;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; changes no decision.
    Info,
    /// A person should look.
    Warning,
    /// The card cannot be right as read.
    Error,
}

/// One doubt. `detail` never repeats a personal value, so findings may be logged and counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The field in doubt; absent when the doubt concerns the whole card or picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<FieldName>,
    /// The rule's stable name, such as `checksum`; part of the contract.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// A sentence for a person, without personal values.
    pub detail: String,
}
