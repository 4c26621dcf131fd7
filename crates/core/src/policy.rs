//! The policy: when a card is taken as read, when a person looks at it, and when another picture is asked for.

use crate::finding::{Finding, Severity};
use crate::result::{CardResult, Decision};

/// Thresholds on calibrated probabilities, and what an error means.
///
/// The decision is the strictest that any of these asks for:
///
/// | what | decision |
/// | --- | --- |
/// | no card, or no field sure but perhaps the name | reject |
/// | a finding of severity error | [`Policy::on_error`] |
/// | a card's confidence below [`Policy::reject_below`] | reject |
/// | a finding of severity warning | review |
/// | a card's confidence below [`Policy::accept_from`] | review |
/// | otherwise | accept |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
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
}

impl Default for Policy {
    /// Accept from 0.95, reject below 0.05, fields from 0.8, completeness from 0.98; correct from 0.6, trusted from 0.98;
    /// an error rejects.
    fn default() -> Policy {
        Policy {
            accept_from: 0.95,
            reject_below: 0.05,
            field_from: 0.8,
            completeness_from: 0.98,
            correct_from: 0.6,
            trust_correction_from: 0.98,
            on_error: Decision::Reject,
        }
    }
}

impl Policy {
    /// The decision over the cards of one picture and everything found about them.
    pub fn decide(&self, cards: &[CardResult], findings: &[Finding]) -> Decision {
        let by_finding = findings.iter().map(|finding| match finding.severity {
            Severity::Info => Decision::Accept,
            Severity::Warning => Decision::Review,
            Severity::Error => self.on_error,
        });
        let by_confidence = cards.iter().map(|card| match card.confidence {
            sure if sure >= self.accept_from => Decision::Accept,
            unsure if unsure >= self.reject_below => Decision::Review,
            _ => Decision::Reject,
        });
        let without_card = if cards.is_empty() { Decision::Reject } else { Decision::Accept };
        by_finding.chain(by_confidence).fold(without_card, Decision::max)
    }
}
