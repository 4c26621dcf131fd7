//! A policy over a result that was decided under another one.

use super::Policy;
use crate::finding::Finding;
use crate::reading::FieldName;
use crate::result::{CardResult, Decision, PictureResult};
use crate::rule::Rule;

/// What a policy makes of a stored result.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconsidered {
    /// The decision.
    pub decision: Decision,
    /// The findings, with the severities of this policy.
    pub findings: Vec<Finding>,
}

impl Policy {
    /// Decides anew about a result, without the picture: from its confidences and the findings with the severities that they were
    /// raised with. What depends on more than the result holds stays as it is: `correct_from` and `trust_correction_from`.
    pub fn reconsider(&self, result: &PictureResult) -> Reconsidered {
        let depends_on_thresholds = |rule| matches!(rule, Rule::LowConfidence | Rule::Incomplete);
        let stored = result.findings.iter().filter(|finding| !depends_on_thresholds(finding.rule)).cloned();
        let as_raised =
            |finding: Finding| Finding { severity: finding.usual.unwrap_or(finding.severity), usual: None, ..finding };
        let mut findings: Vec<Finding> = stored.map(as_raised).collect();
        let has_ethnic = !findings.iter().any(|finding| finding.rule == Rule::NonCitizenDocument);
        findings.extend(result.cards.iter().flat_map(|card| self.below_thresholds(card, has_ethnic)));
        findings.iter_mut().for_each(|finding| self.grade(finding));
        Reconsidered { decision: self.decide(&result.cards, &findings), findings }
    }

    fn below_thresholds(&self, card: &CardResult, has_ethnic: bool) -> Vec<Finding> {
        let is_doubtful = |name: &FieldName| {
            let field = card.fields.get(name).filter(|field| !field.text.is_empty());
            field.is_some_and(|field| field.confidence < self.field_from) && (has_ethnic || *name != FieldName::Ethnic)
        };
        let doubtful = FieldName::of_side(card.side).iter().copied().filter(is_doubtful);
        let mut findings: Vec<Finding> = doubtful.map(|name| Rule::LowConfidence.of(name)).collect();
        findings.extend((card.quality.completeness < self.completeness_from).then(|| Rule::Incomplete.of_card()));
        findings
    }
}
