//! From posterior to a field's result: the text to give out, how sure it is, and what has to be said about it.

use crate::constraint::parameters::{LEAST_ALTERNATIVE, MOST_ALTERNATIVES};
use crate::constraint::posterior::{Posterior, Reading};
use crate::finding::{Finding, Severity};
use crate::policy::Policy;
use crate::reading::{FieldName, ReadField};
use crate::result::FieldResult;
use crate::rule::Rule;

/// A field after its constraint.
pub(crate) struct Settled<T> {
    /// What it means, if it is valid.
    pub(crate) value: Option<T>,
    /// Absent if the field was not found.
    pub(crate) result: Option<FieldResult>,
}

impl<T> Settled<T> {
    /// A field that was not found.
    pub(crate) fn missing() -> Settled<T> {
        Settled { value: None, result: None }
    }
}

/// A field to settle.
pub(crate) struct Field<'a> {
    pub(crate) name: FieldName,
    pub(crate) read: &'a ReadField,
    /// What stays if no valid reading is probable enough.
    pub(crate) text: &'a str,
    /// The rule to name when another reading than the best by the characters is taken.
    pub(crate) corrected: Rule,
    /// What was read is clear and valid: no other field overrules it.
    pub(crate) is_clear: bool,
    /// A correction need only be more probable than what was read, not than everything else together: the tail of a long
    /// text may stay open when its beginning does not.
    pub(crate) by_odds: bool,
    /// `text` is what was read without its label.
    pub(crate) label_removed: bool,
}

impl Field<'_> {
    /// Takes the most probable valid reading if it is what was read, or probable enough to correct it; else what was read.
    /// Every change of the text raises a finding.
    pub(crate) fn settle<T: Clone>(
        &self,
        posterior: &Posterior<T>,
        policy: &Policy,
        findings: &mut Vec<Finding>,
    ) -> Settled<T> {
        let as_read = posterior.as_read();
        let kept = as_read.map_or(posterior.violated, |reading| reading.weight);
        let rivals = |best: &Reading<T>| if self.by_odds { best.weight + kept } else { 1.0 };
        let is_probable = |best: &Reading<T>| best.weight >= f64::from(policy.correct_from) * rivals(best);
        let best = posterior.readings.first().filter(|best| best.as_read || is_probable(best));
        let taken = if self.is_clear { as_read } else { best.or(as_read) };
        let (text, value, confidence) = match taken {
            Some(Reading { text, value, weight, .. }) => (text.clone(), Some(value.clone()), *weight),
            None => (self.text.to_owned(), None, posterior.violated),
        };
        let raw = self.read.text();
        let value_as_read = if self.label_removed { self.text } else { &raw };
        match taken {
            Some(reading) if !reading.as_read => {
                findings.push(corrected(self.corrected, self.name, confidence, policy))
            }
            _ if text != value_as_read => findings.push(Rule::Normalized.of(self.name)),
            _ => {}
        }
        let others =
            posterior.readings.iter().filter(|reading| reading.text != text && reading.weight >= LEAST_ALTERNATIVE);
        let alternatives = others.take(MOST_ALTERNATIVES).map(|reading| reading.text.clone()).collect();
        let raw = Some(raw).filter(|raw| *raw != text);
        let result = FieldResult { text, confidence: confidence as f32, quad: self.read.quad, raw, alternatives };
        Settled { value, result: Some(result) }
    }
}

/// A correction is worth a look unless it is nearly certain.
pub(crate) fn corrected(rule: Rule, field: FieldName, confidence: f64, policy: &Policy) -> Finding {
    let mut finding = rule.of(field);
    if confidence < f64::from(policy.trust_correction_from) {
        finding.severity = finding.severity.max(Severity::Warning);
    }
    finding
}
