//! The policy: when a card is taken as read, when a person looks at it, and when another picture is asked for.

mod file;
mod reconsider;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::finding::{Finding, Severity};
use crate::reading::FieldName;
use crate::result::{CardResult, Decision, PictureResult};
use crate::rule::Rule;

pub use file::PolicyError;
pub use reconsider::Reconsidered;

/// Thresholds on calibrated probabilities, the severity of rules, and what an error means.
///
/// The decision is the strictest that any of these asks for:
///
/// | what | decision |
/// | --- | --- |
/// | no card | reject |
/// | nothing on the card is sure, but perhaps the name | review, or what its finding asks for |
/// | a finding of severity error | [`Policy::on_error`] |
/// | a card's confidence below [`Policy::reject_below`] | reject |
/// | a finding of severity warning | review |
/// | a card's confidence below [`Policy::accept_from`] | review |
/// | otherwise | accept |
///
/// A card's confidence is here that of the required fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What it is called in results and reports.
    pub name: String,
    /// The least confidence of a card (P(all of its fields are right)) with which it is accepted.
    pub accept_from: f32,
    /// With less confidence than this another picture is asked for.
    pub reject_below: f32,
    /// A field with less confidence than this gets the finding `low_confidence`, a warning.
    pub field_from: f32,
    /// The least share of the card that must lie inside the picture; below it the finding `incomplete`, a warning.
    pub completeness_from: f32,
    /// The least posterior probability with which another valid reading replaces what was read. Below it, what was read
    /// is kept, with an error.
    pub correct_from: f32,
    /// The posterior probability from which a correction is mere information; below it, it is a warning.
    pub trust_correction_from: f32,
    /// What a finding of severity error leads to.
    pub on_error: Decision,
    /// The fields that must be there and sure. Of the others `missing`, `occluded` and `low_confidence` are information.
    pub required: BTreeSet<FieldName>,
    /// The severity of rules, wherever they are raised. Other rules keep the severity that they are raised with.
    pub severities: BTreeMap<Rule, Severity>,
}

/// Under which policy a decision was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInfo {
    /// The policy's name.
    pub name: String,
    /// Made from everything that it says but its name: equal for policies that decide alike.
    pub version: String,
}

impl Default for Policy {
    /// Accept from 0.95, reject below 0.05, fields from 0.8, completeness from 0.98; correct from 0.6, trusted from 0.98;
    /// an error rejects; every field is required. `expired` is information, also in results that an earlier version stored.
    fn default() -> Policy {
        Policy {
            name: "default".to_owned(),
            accept_from: 0.95,
            reject_below: 0.05,
            field_from: 0.8,
            completeness_from: 0.98,
            correct_from: 0.6,
            trust_correction_from: 0.98,
            on_error: Decision::Reject,
            required: FieldName::FRONT.into_iter().chain(FieldName::BACK).collect(),
            severities: BTreeMap::from([(Rule::Expired, Severity::Info)]),
        }
    }
}

impl Policy {
    /// The decision over the cards of one picture and everything found about them.
    pub fn decide(&self, cards: &[CardResult], findings: &[Finding]) -> Decision {
        let by_finding = findings.iter().map(|finding| self.asked_for_by(finding));
        let by_confidence = cards.iter().map(|card| match self.confidence(card, findings) {
            sure if sure >= self.accept_from => Decision::Accept,
            unsure if unsure >= self.reject_below => Decision::Review,
            _ => Decision::Reject,
        });
        let without_card = if cards.is_empty() { Decision::Reject } else { Decision::Accept };
        by_finding.chain(by_confidence).fold(without_card, Decision::max)
    }

    /// Adds a finding to a result and decides anew.
    pub fn raise(&self, mut finding: Finding, result: &mut PictureResult) {
        self.grade(&mut finding);
        result.decision = result.decision.max(self.asked_for_by(&finding));
        result.findings.push(finding);
    }

    /// Its name, and what tells it from others.
    pub fn info(&self) -> PolicyInfo {
        let unnamed = Policy { name: String::new(), ..self.clone() };
        let version = Uuid::new_v5(&Uuid::NAMESPACE_OID, unnamed.to_string().as_bytes()).simple().to_string();
        PolicyInfo { name: self.name.clone(), version }
    }

    /// Gives a finding the severity that the policy says, and keeps the one that it was raised with beside it.
    pub(crate) fn grade(&self, finding: &mut Finding) {
        let is_doubt = matches!(finding.rule, Rule::Missing | Rule::Occluded | Rule::LowConfidence);
        let is_optional = finding.field.is_some_and(|field| !self.required.contains(&field));
        let severity = match self.severities.get(&finding.rule) {
            _ if is_doubt && is_optional => Severity::Info,
            Some(&severity) => severity,
            None => return,
        };
        if severity != finding.severity {
            finding.usual = Some(finding.severity);
            finding.severity = severity;
        }
    }

    fn asked_for_by(&self, finding: &Finding) -> Decision {
        let by_severity = match finding.severity {
            Severity::Info => Decision::Accept,
            Severity::Warning => Decision::Review,
            Severity::Error => self.on_error,
        };
        // What has the status FAIL is never accepted.
        if finding.rule == Rule::NothingReadable { by_severity.max(Decision::Review) } else { by_severity }
    }

    /// The probability that all required fields of the card are right; 0 if one is missing.
    fn confidence(&self, card: &CardResult, findings: &[Finding]) -> f32 {
        let of_side = FieldName::of_side(card.side);
        if of_side.iter().all(|field| self.required.contains(field)) {
            return card.confidence;
        }
        let required = of_side.iter().filter(|field| self.required.contains(field));
        required
            .map(|name| match card.fields.get(name) {
                Some(field) => field.confidence,
                // Not every document has every field; one that should be there has this finding.
                None if findings.iter().any(|it| it.rule == Rule::Missing && it.field == Some(*name)) => 0.0,
                None => 1.0,
            })
            .product()
    }
}

/// The policy as TOML, from which it can be read again.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let required: Vec<String> = self.required.iter().map(|field| format!("\"{}\"", field.as_str())).collect();
        writeln!(f, "name = \"{}\"", self.name)?;
        writeln!(f, "on_error = \"{}\"", self.on_error.as_str())?;
        writeln!(f, "required = [{}]", required.join(", "))?;
        writeln!(f, "\n[thresholds]")?;
        writeln!(f, "accept_from = {:?}", self.accept_from)?;
        writeln!(f, "reject_below = {:?}", self.reject_below)?;
        writeln!(f, "field_from = {:?}", self.field_from)?;
        writeln!(f, "completeness_from = {:?}", self.completeness_from)?;
        writeln!(f, "correct_from = {:?}", self.correct_from)?;
        writeln!(f, "trust_correction_from = {:?}", self.trust_correction_from)?;
        writeln!(f, "\n[severity]")?;
        self.severities.iter().try_for_each(|(rule, severity)| writeln!(f, "{rule} = \"{}\"", severity.as_str()))
    }
}
