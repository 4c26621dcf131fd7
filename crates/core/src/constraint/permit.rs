//! 通行证号码 and 签发次数 as read. Their forms are constraints, and prove little: a digit that was read wrong makes another valid one.

use super::number::digit;
use super::observation::Observation;
use super::parameters::Context;
use super::posterior::{Constraint, Interpretation, Posterior};
use super::settle::{Field, Settled};
use crate::field::{IssueCount, PermitNumber};
use crate::finding::Finding;
use crate::reading::{FieldName, ReadField};
use crate::rule::Rule;

/// How a field of a permit is settled.
struct Code<T> {
    name: FieldName,
    /// Printed labels that may stick to the start.
    labels: &'static [&'static str],
    /// The standard form of a character; `None` if it cannot stand in the field.
    standard: fn(char) -> Option<char>,
    parse: fn(&str) -> Result<T, Rule>,
}

/// Settles a permit number.
pub(crate) fn number(read: &ReadField, context: &Context<'_>, findings: &mut Vec<Finding>) -> Settled<PermitNumber> {
    let code = Code {
        name: FieldName::PermitNumber,
        labels: &["通行证号码", "行证号码", "证号码", "号码", "码"],
        standard: |character| if matches!(character, 'H' | 'M') { Some(character) } else { digit(character) },
        parse: PermitNumber::parse,
    };
    code.settle(read, context, findings)
}

/// Settles a count of issues.
pub(crate) fn issue_count(read: &ReadField, context: &Context<'_>, findings: &mut Vec<Finding>) -> Settled<IssueCount> {
    let code = Code {
        name: FieldName::IssueCount,
        labels: &["签发次数", "发次数", "次数", "数"],
        standard: digit,
        parse: IssueCount::parse,
    };
    code.settle(read, context, findings)
}

impl<T: Clone> Code<T> {
    fn settle(&self, read: &ReadField, context: &Context<'_>, findings: &mut Vec<Finding>) -> Settled<T> {
        let parameters = context.parameters;
        let observation = Observation::new(read, self.labels, parameters, self.standard);
        if observation.label_removed {
            findings.push(Rule::LabelRemoved.of(self.name));
        }
        let constraint = Constraint {
            false_match_rate: 1.0,
            violation_rate: parameters.free_text_violation_rate,
            truncation_rate: 0.0,
            interpret: |text: &str| {
                let value = (self.parse)(text).ok()?;
                Some(Interpretation { text: text.to_owned(), value, prior: 1.0 })
            },
        };
        let posterior = Posterior::under(&observation.lattice, observation.confidence, &constraint);
        let field = Field {
            name: self.name,
            read,
            text: &observation.text,
            corrected: Rule::CharacterCorrected,
            is_clear: false,
            by_odds: false,
            label_removed: observation.label_removed,
        };
        let settled = field.settle(&posterior, context.policy, findings);
        if settled.value.is_none()
            && let Err(rule) = (self.parse)(&observation.text)
        {
            findings.push(rule.of(self.name));
        }
        settled
    }
}
