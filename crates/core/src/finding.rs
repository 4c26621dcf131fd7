//! A doubt about a field or a card: what looks wrong, by which rule, how bad.

use serde::{Deserialize, Serialize, Serializer};

use crate::reading::FieldName;
use crate::rule::Rule;

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

impl Severity {
    /// The name in JSON and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One doubt. `detail` never repeats a personal value, so findings may be logged and counted.
///
/// In JSON a finding of a renamed rule also has the key `alias` with the old name, for clients that match on it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// The field in doubt; absent when the doubt concerns the whole card or picture.
    #[serde(default)]
    pub field: Option<FieldName>,
    /// The rule; its name is part of the contract.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// How bad the rule itself says it is, where the policy says otherwise.
    #[serde(default)]
    pub usual: Option<Severity>,
    /// A sentence for a person, without personal values.
    pub detail: String,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            field: Option<FieldName>,
            rule: Rule,
            #[serde(skip_serializing_if = "Option::is_none")]
            alias: Option<&'static str>,
            severity: Severity,
            #[serde(skip_serializing_if = "Option::is_none")]
            usual: Option<Severity>,
            detail: &'a str,
        }
        let Finding { field, rule, severity, usual, detail } = self;
        let json = Json { field: *field, rule: *rule, alias: rule.alias(), severity: *severity, usual: *usual, detail };
        json.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn findings() -> impl Strategy<Value = Finding> {
        let fields: Vec<FieldName> = FieldName::FRONT.into_iter().chain(FieldName::BACK).collect();
        let field = proptest::option::of(proptest::sample::select(fields));
        let severity = proptest::sample::select(vec![Severity::Info, Severity::Warning, Severity::Error]);
        let usual = proptest::option::of(severity.clone());
        (field, proptest::sample::select(Rule::ALL.to_vec()), severity, usual, ".{0,40}")
            .prop_map(|(field, rule, severity, usual, detail)| Finding { field, rule, severity, usual, detail })
    }

    #[test]
    fn a_finding_of_a_renamed_rule_carries_both_names() {
        let json = serde_json::to_string(&Rule::ImplausibleAge.of(FieldName::IdentityNo)).unwrap();
        assert_eq!(
            json,
            r#"{"field":"identityNo","rule":"implausible_age","alias":"age","severity":"warning","detail":"the person would be older than 130 years"}"#
        );
        let json = serde_json::to_string(&Rule::NoCard.of_card()).unwrap();
        assert_eq!(json, r#"{"rule":"no_card","severity":"error","detail":"no card was found in the picture"}"#);
    }

    #[test]
    fn a_finding_stored_under_an_old_name_is_read() {
        let json = r#"{"field":"effectiveDate","rule":"term","severity":"error","detail":"the validity is not 5, 10 or 20 years to the day"}"#;
        let finding: Finding = serde_json::from_str(json).unwrap();
        assert_eq!(finding, Rule::InvalidValidityPeriod.of(FieldName::EffectiveDate));
    }

    proptest! {
        #[test]
        fn a_finding_survives_json(finding in findings()) {
            let json = serde_json::to_string(&finding).unwrap();
            prop_assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), finding);
        }
    }
}
