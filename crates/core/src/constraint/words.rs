//! Fields of words: name, ethnic group, address, authority.

use std::sync::LazyLock;

use super::bigram::{Bigrams, PERSONS, PLACES};
use super::lattice::Lattice;
use super::lexicon::{self, LexiconMatches};
use super::observation::Observation;
use super::parameters::{Context, Parameters};
use super::place_prior::{address_prior, authority_prior};
use super::posterior::{Constraint, Interpretation, Posterior};
use super::settle::{Field, Settled};
use super::trim::{Span, spans};
use crate::field::{Address, Authority, Ethnicity, PersonName, is_han};
use crate::finding::Finding;
use crate::reading::{FieldName, ReadField};
use crate::rule::Rule;

/// Looks a field up in the lexicon of places.
type Lookup = for<'a> fn(&Lattice, &[Span], &'a Parameters) -> LexiconMatches<'a>;

/// How a field of words is settled.
struct Words<T> {
    name: FieldName,
    /// Printed labels that may stick to the start.
    labels: &'static [&'static str],
    /// The standard form of a character; `None` if it cannot stand in the field.
    standard: fn(char) -> Option<char>,
    parse: fn(&str) -> Result<T, Rule>,
    /// The standard form of the whole text.
    text: fn(&T) -> &str,
    /// Names a reading of other characters than the best.
    corrected: Rule,
    /// How usual a valid text is among the valid ones, up to 1.
    prior: fn(&T, &Parameters) -> f64,
    /// Which characters usually follow each other.
    usual: Option<Usual>,
    /// What a list says about the places.
    lexicon: Option<Lookup>,
    /// A character of which no more than this can stand in the field is noise.
    noise_below: f64,
    /// As in [`Constraint`].
    false_match_rate: f64,
    /// As in [`Constraint`].
    violation_rate: f64,
    /// As in [`Constraint`].
    truncation_rate: f64,
}

/// Which characters usually follow each other, and the power with which their odds count.
struct Usual {
    bigrams: &'static LazyLock<Bigrams>,
    trust: f64,
}

/// A prior for fields of which every valid text is as usual as any other.
fn even<T>(_: &T, _: &Parameters) -> f64 {
    1.0
}

/// 姓名. Any Han characters can be a name, so the constraint proves nothing; some are more usual than others.
pub(crate) fn name(read: &ReadField, context: &Context<'_>, findings: &mut Vec<Finding>) -> Settled<PersonName> {
    let parameters = context.parameters;
    let words = Words {
        name: FieldName::Name,
        labels: &["姓名", "名"],
        standard: PersonName::standard_character,
        parse: PersonName::parse,
        text: PersonName::reveal,
        corrected: Rule::CharacterCorrected,
        prior: even,
        usual: Some(Usual { bigrams: &PERSONS, trust: parameters.person_bigram_trust }),
        lexicon: None,
        noise_below: 0.0,
        false_match_rate: 1.0,
        violation_rate: parameters.free_text_violation_rate,
        truncation_rate: 0.0,
    };
    let settled = words.settle(read, context, findings);
    if settled.value.as_ref().is_some_and(PersonName::lacks_separator) {
        findings.push(Rule::SeparatorMissing.of(FieldName::Name));
    }
    settled
}

/// 民族: a closed list, so a wrong reading is hardly ever in it.
pub(crate) fn ethnic(read: &ReadField, context: &Context<'_>, findings: &mut Vec<Finding>) -> Settled<Ethnicity> {
    let parameters = context.parameters;
    let words = Words {
        name: FieldName::Ethnic,
        labels: &["民族", "族"],
        standard: |character| Some(character).filter(|one| is_han(*one) || matches!(one, '(' | ')' | '（' | '）')),
        parse: Ethnicity::parse,
        text: |group| group.reveal(),
        corrected: Rule::EthnicCorrected,
        prior: even,
        usual: None,
        lexicon: None,
        noise_below: parameters.ethnic_noise_below,
        false_match_rate: parameters.ethnic_false_match_rate,
        violation_rate: parameters.ethnic_violation_rate,
        truncation_rate: parameters.ethnic_truncation_rate,
    };
    words.settle(read, context, findings)
}

/// 住址. Its regions are in a list.
pub(crate) fn address(read: &ReadField, context: &Context<'_>, findings: &mut Vec<Finding>) -> Settled<Address> {
    let parameters = context.parameters;
    let words = Words {
        name: FieldName::Address,
        labels: &["住址", "址"],
        standard: Address::standard_character,
        parse: Address::parse,
        text: Address::reveal,
        corrected: Rule::CharacterCorrected,
        prior: address_prior,
        usual: Some(Usual { bigrams: &PLACES, trust: parameters.place_bigram_trust }),
        lexicon: Some(lexicon::address),
        noise_below: 0.0,
        false_match_rate: 1.0,
        violation_rate: parameters.free_text_violation_rate,
        truncation_rate: 0.0,
    };
    let settled = words.settle(read, context, findings);
    if settled.value.as_ref().is_some_and(Address::has_unknown_province) {
        findings.push(Rule::AddressRegion.of(FieldName::Address));
    }
    settled
}

/// 签发机关: its end is a constraint, and its region is in a list.
pub(crate) fn authority(read: &ReadField, context: &Context<'_>, findings: &mut Vec<Finding>) -> Settled<Authority> {
    let parameters = context.parameters;
    let words = Words {
        name: FieldName::Authority,
        labels: &["签发机关", "发机关", "机关"],
        standard: |character| Some(character).filter(|one| is_han(*one)),
        parse: Authority::parse,
        text: Authority::reveal,
        corrected: Rule::CharacterCorrected,
        prior: authority_prior,
        usual: Some(Usual { bigrams: &PLACES, trust: parameters.place_bigram_trust }),
        lexicon: Some(lexicon::authority),
        noise_below: 0.0,
        false_match_rate: parameters.authority_false_match_rate,
        violation_rate: parameters.authority_violation_rate,
        truncation_rate: 0.0,
    };
    words.settle(read, context, findings)
}

impl<T: Clone> Words<T> {
    fn settle(&self, read: &ReadField, context: &Context<'_>, findings: &mut Vec<Finding>) -> Settled<T> {
        let parameters = context.parameters;
        let observation = Observation::of_more_than(self.noise_below, read, self.labels, parameters, self.standard);
        if observation.label_removed {
            findings.push(Rule::LabelRemoved.of(self.name));
        }
        let interpret = |text: &str| {
            let value = (self.parse)(text).ok()?;
            Some(Interpretation {
                text: (self.text)(&value).to_owned(),
                prior: (self.prior)(&value, parameters),
                value,
            })
        };
        let constraint = Constraint {
            false_match_rate: self.false_match_rate,
            violation_rate: self.violation_rate,
            truncation_rate: self.truncation_rate,
            interpret,
        };
        let (lattice, confidence) = self.weighed(&observation, parameters);
        let lexicon = self.lexicon.map(|lexicon| {
            let label = self.labels.first().copied().unwrap_or_default();
            lexicon(&lattice, &spans(&observation.chars, label, parameters), parameters)
        });
        let posterior =
            Posterior::among(&lattice, confidence, &constraint, lexicon.as_ref(), &observation.lattice.best());
        let is_shorter = |text: &str| text.chars().count() < lattice.len();
        let without_noise = posterior.readings.first().is_some_and(|best| !best.as_read && is_shorter(&best.text));
        let field = Field {
            name: self.name,
            read,
            text: &observation.text,
            corrected: if without_noise { Rule::NoiseRemoved } else { self.corrected },
            is_clear: false,
            by_odds: self.usual.is_some(),
            label_removed: observation.label_removed,
        };
        let settled = field.settle(&posterior, context.policy, findings);
        if let (None, Some(result)) = (&settled.value, &settled.result)
            && let Err(rule) = (self.parse)(&result.text)
            && !result.text.is_empty()
        {
            findings.push(rule.of(self.name));
        }
        if let (Some(usual), Some(result)) = (&self.usual, &settled.result)
            && !usual.bigrams.knows(&result.text)
        {
            findings.push(Rule::RareCharacter.of(self.name));
        }
        settled
    }

    /// The places by what usually stands there, and how sure their best reading is now.
    fn weighed(&self, observation: &Observation, parameters: &Parameters) -> (Lattice, f64) {
        let Some(usual) = &self.usual else { return (observation.lattice.clone(), observation.confidence) };
        let lattice = usual.bigrams.weighed(&observation.lattice, usual.trust, parameters);
        let confidence =
            shifted(observation.confidence, observation.lattice.best_probability(), lattice.best_probability());
        // Usual characters do not tell that none was missed; whole names of places, which are listed, do.
        let is_same = self.lexicon.is_none() && lattice.best() == observation.lattice.best();
        (lattice, if is_same { confidence.min(observation.confidence) } else { confidence })
    }
}

/// A confidence after the probability that it is about has changed: the odds change alike.
fn shifted(confidence: f64, before: f64, after: f64) -> f64 {
    let odds = |probability: f64| {
        let probability = probability.clamp(1e-6, 1.0 - 1e-6);
        probability / (1.0 - probability)
    };
    let shifted = odds(confidence) * odds(after) / odds(before);
    shifted / (1.0 + shifted)
}
