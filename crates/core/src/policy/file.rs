//! A policy as TOML. What it does not say is as in the default policy; what it says wrongly is an error with its line.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::Policy;
use crate::finding::Severity;
use crate::reading::FieldName;
use crate::result::Decision;
use crate::rule::Rule;

/// The longest name of a policy, in characters.
const LONGEST_NAME: usize = 64;

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct PolicyError {
    /// The line of the text, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<Name>,
    on_error: Option<Decision>,
    required: Option<BTreeSet<FieldName>>,
    #[serde(default)]
    thresholds: Thresholds,
    #[serde(default)]
    severity: BTreeMap<NamedRule, Severity>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Thresholds {
    accept_from: Option<Spanned<Probability>>,
    reject_below: Option<Spanned<Probability>>,
    field_from: Option<Probability>,
    completeness_from: Option<Probability>,
    correct_from: Option<Probability>,
    trust_correction_from: Option<Probability>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f32")]
struct Probability(f32);

impl TryFrom<f32> for Probability {
    type Error = &'static str;

    fn try_from(value: f32) -> Result<Probability, &'static str> {
        if (0.0..=1.0).contains(&value) { Ok(Probability(value)) } else { Err("expected a number from 0 to 1") }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Name, String> {
        let is_plain = |character: char| !character.is_control() && !matches!(character, '"' | '\\');
        if (1..=LONGEST_NAME).contains(&text.chars().count()) && text.chars().all(is_plain) {
            Ok(Name(text))
        } else {
            Err(format!("expected a name of 1 to {LONGEST_NAME} characters without quotation marks and backslashes"))
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct NamedRule(Rule);

impl TryFrom<String> for NamedRule {
    type Error = String;

    fn try_from(name: String) -> Result<NamedRule, String> {
        name.parse().map(NamedRule).map_err(|unknown| format!("{unknown}: `{name}`"))
    }
}

impl Policy {
    /// Reads a policy from TOML.
    ///
    /// # Errors
    /// When the text is no TOML, or names a key, rule, field or value that does not exist.
    pub fn from_toml(text: &str) -> Result<Policy, PolicyError> {
        let at = |byte: usize, reason: &str| PolicyError {
            line: text.bytes().take(byte).filter(|&byte| byte == b'\n').count() + 1,
            reason: reason.to_owned(),
        };
        let file: File =
            toml::from_str(text).map_err(|error| at(error.span().map_or(0, |span| span.start), error.message()))?;
        let File { name, on_error, required, thresholds, severity } = file;
        let span = thresholds.reject_below.as_ref().or(thresholds.accept_from.as_ref()).map_or(0, |it| it.span().start);

        let default = Policy::default();
        let or = |given: Option<Probability>, default| given.map_or(default, |Probability(value)| value);
        let mut severities = default.severities;
        severities.extend(severity.into_iter().map(|(NamedRule(rule), severity)| (rule, severity)));
        let policy = Policy {
            name: name.map_or_else(|| "custom".to_owned(), |Name(name)| name),
            accept_from: or(thresholds.accept_from.map(Spanned::into_inner), default.accept_from),
            reject_below: or(thresholds.reject_below.map(Spanned::into_inner), default.reject_below),
            field_from: or(thresholds.field_from, default.field_from),
            completeness_from: or(thresholds.completeness_from, default.completeness_from),
            correct_from: or(thresholds.correct_from, default.correct_from),
            trust_correction_from: or(thresholds.trust_correction_from, default.trust_correction_from),
            on_error: on_error.unwrap_or(default.on_error),
            required: required.unwrap_or(default.required),
            severities,
        };
        if policy.reject_below > policy.accept_from {
            return Err(at(span, "reject_below is greater than accept_from"));
        }
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, line: usize, part: &str) {
        let error = Policy::from_toml(text).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        assert!(error.reason.contains(part), "{error}");
    }

    #[test]
    fn an_empty_file_is_the_default_policy_by_another_name() {
        let policy = Policy::from_toml("").unwrap();
        assert_eq!(policy.name, "custom");
        assert_eq!(policy.info().version, Policy::default().info().version);
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        let text = "name = \"旧客户\"\non_error = \"review\"\nrequired = [\"name\", \"identityNo\"]\n\
                    [thresholds]\naccept_from = 1\nfield_from = 0.5\n[severity]\nexpired = \"error\"\nminor = \"warning\"\n";
        let policy = Policy::from_toml(text).unwrap();
        assert_eq!(Policy::from_toml(&policy.to_string()), Ok(policy.clone()));
        assert_eq!(policy.severities.get(&Rule::Expired), Some(&Severity::Error));
        assert_ne!(policy.info().version, Policy::default().info().version);
    }

    #[test]
    fn every_rule_and_field_may_be_named() {
        for rule in Rule::ALL {
            let policy = Policy::from_toml(&format!("[severity]\n{rule} = \"error\"")).unwrap();
            assert_eq!(policy.severities.get(rule), Some(&Severity::Error), "{rule}");
        }
        assert!(
            Policy::from_toml("[severity]\nage = \"info\"").unwrap().severities.contains_key(&Rule::ImplausibleAge)
        );
        for field in FieldName::FRONT.into_iter().chain(FieldName::BACK) {
            let policy = Policy::from_toml(&format!("required = [\"{}\"]", field.as_str())).unwrap();
            assert_eq!(policy.required, BTreeSet::from([field]));
        }
    }

    #[test]
    fn the_documented_policy_is_one() {
        let document = include_str!("../../../../docs/policy.md");
        let (_, example) = document.split_once("```toml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        assert_eq!(Policy::from_toml(example).unwrap().severities.len(), 3);
    }

    #[test]
    fn names_the_line_of_what_does_not_exist() {
        refused("[severity]\nminor = \"info\"\nexpird = \"info\"\n", 3, "expird");
        refused("[severity]\n\nexpired = \"fatal\"\n", 3, "fatal");
        refused("name = \"x\"\nrequired = [\n  \"name\",\n  \"phone\",\n]\n", 4, "phone");
        refused("\n[thresholds]\naccept = 0.9\n", 3, "accept");
        refused("[thresholds]\naccept_from = 1.5\n", 2, "0 to 1");
        refused("[thresholds]\naccept_from = nan\n", 2, "0 to 1");
        refused("[thresholds]\naccept_from = 0.5\nreject_below = 0.6\n", 3, "greater");
        refused("on_error = \"shrug\"\n", 1, "shrug");
        refused("name = \"a\\\"b\"\n", 1, "quotation marks");
        refused("\n\nname = \n", 3, "");
    }
}
