//! Fields of words: name, ethnic group, address, authority.

use std::sync::LazyLock;

use super::belief::{Belief, Law, Verdict};
use super::lattice::Lattice;
use super::listed::{self, Listed};
use super::noise::{Span, spans};
use super::pairs::{PERSONS, PLACES, Pairs};
use super::places::{usual_address, usual_authority};
use super::seen::Seen;
use super::settle::{Field, Settled};
use crate::field::{Address, Authority, Ethnicity, PersonName, is_han};
use crate::finding::Finding;
use crate::policy::Policy;
use crate::reading::{FieldName, ReadField};
use crate::rule::Rule;

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
    /// How usual a lawful text is among the lawful ones, up to 1.
    prior: fn(&T) -> f64,
    /// Which characters usually follow each other.
    usual: Option<&'static LazyLock<Pairs>>,
    /// What a list says about the places.
    listed: Option<fn(&Lattice, &[Span]) -> Listed>,
    /// A character of which no more than this can stand in the field is noise.
    noise_below: f64,
    /// As in [`Law`].
    chance: f64,
    /// As in [`Law`].
    broken: f64,
    /// As in [`Law`].
    cut_off: f64,
}

/// A prior for fields of which every lawful text is as usual as any other.
fn even<T>(_: &T) -> f64 {
    1.0
}

/// 姓名. Any Han characters can be a name, so the law proves nothing; some are more usual than others.
pub(crate) fn name(read: &ReadField, policy: &Policy, findings: &mut Vec<Finding>) -> Settled<PersonName> {
    let words = Words {
        name: FieldName::Name,
        labels: &["姓名", "名"],
        standard: PersonName::standard_character,
        parse: PersonName::parse,
        text: PersonName::reveal,
        corrected: Rule::CharacterCorrected,
        prior: even,
        usual: Some(&PERSONS),
        listed: None,
        noise_below: 0.0,
        chance: 1.0,
        broken: 0.05,
        cut_off: 0.0,
    };
    let settled = words.settle(read, policy, findings);
    if settled.value.as_ref().is_some_and(PersonName::lacks_separator) {
        findings.push(Rule::SeparatorMissing.of(FieldName::Name));
    }
    settled
}

/// 民族: a closed list, so a wrong reading is hardly ever in it.
pub(crate) fn ethnic(read: &ReadField, policy: &Policy, findings: &mut Vec<Finding>) -> Settled<Ethnicity> {
    let words = Words {
        name: FieldName::Ethnic,
        labels: &["民族", "族"],
        standard: |character| Some(character).filter(|one| is_han(*one) || matches!(one, '(' | ')' | '（' | '）')),
        parse: Ethnicity::parse,
        text: |group| group.reveal(),
        corrected: Rule::EthnicCorrected,
        prior: even,
        usual: None,
        listed: None,
        noise_below: 0.05,
        chance: 0.02,
        broken: 1e-3,
        cut_off: 1e-3,
    };
    words.settle(read, policy, findings)
}

/// 住址. Its regions are in a list.
pub(crate) fn address(read: &ReadField, policy: &Policy, findings: &mut Vec<Finding>) -> Settled<Address> {
    let words = Words {
        name: FieldName::BirthPlace,
        labels: &["住址", "址"],
        standard: Address::standard_character,
        parse: Address::parse,
        text: Address::reveal,
        corrected: Rule::CharacterCorrected,
        prior: usual_address,
        usual: Some(&PLACES),
        listed: Some(listed::address),
        noise_below: 0.0,
        chance: 1.0,
        broken: 0.05,
        cut_off: 0.0,
    };
    let settled = words.settle(read, policy, findings);
    if settled.value.as_ref().is_some_and(Address::has_unknown_province) {
        findings.push(Rule::AddressRegion.of(FieldName::BirthPlace));
    }
    settled
}

/// 签发机关: its end is a law, and its region is in a list.
pub(crate) fn authority(read: &ReadField, policy: &Policy, findings: &mut Vec<Finding>) -> Settled<Authority> {
    let words = Words {
        name: FieldName::Authority,
        labels: &["签发机关", "发机关", "机关"],
        standard: |character| Some(character).filter(|one| is_han(*one)),
        parse: Authority::parse,
        text: Authority::reveal,
        corrected: Rule::CharacterCorrected,
        prior: usual_authority,
        usual: Some(&PLACES),
        listed: Some(listed::authority),
        noise_below: 0.0,
        chance: 0.6,
        broken: 0.02,
        cut_off: 0.0,
    };
    words.settle(read, policy, findings)
}

impl<T: Clone> Words<T> {
    fn settle(&self, read: &ReadField, policy: &Policy, findings: &mut Vec<Finding>) -> Settled<T> {
        let seen = Seen::of_more_than(self.noise_below, read, self.labels, self.standard);
        if seen.label_removed {
            findings.push(Rule::LabelRemoved.of(self.name));
        }
        let judge = |text: &str| {
            let value = (self.parse)(text).ok()?;
            Some(Verdict { text: (self.text)(&value).to_owned(), prior: (self.prior)(&value), value })
        };
        let law = Law { chance: self.chance, broken: self.broken, cut_off: self.cut_off, judge };
        let (lattice, confidence) = self.weighed(&seen);
        let listed = self.listed.map(|listed| {
            let label = self.labels.first().copied().unwrap_or_default();
            listed(&lattice, &spans(&seen.chars, label))
        });
        let belief = Belief::among(&lattice, confidence, &law, listed.as_ref(), &seen.lattice.best());
        let is_shorter = |text: &str| text.chars().count() < lattice.len();
        let without_noise = belief.readings.first().is_some_and(|best| !best.as_read && is_shorter(&best.text));
        let field = Field {
            name: self.name,
            read,
            text: &seen.text,
            corrected: if without_noise { Rule::NoiseRemoved } else { self.corrected },
            is_clear: false,
            by_odds: self.usual.is_some(),
            label_removed: seen.label_removed,
        };
        let settled = field.settle(&belief, policy, findings);
        if let (None, Some(result)) = (&settled.value, &settled.result)
            && let Err(rule) = (self.parse)(&result.text)
            && !result.text.is_empty()
        {
            findings.push(rule.of(self.name));
        }
        if let (Some(usual), Some(result)) = (self.usual, &settled.result)
            && !usual.knows(&result.text)
        {
            findings.push(Rule::RareCharacter.of(self.name));
        }
        settled
    }

    /// The places by what usually stands there, and how sure their best reading is now.
    fn weighed(&self, seen: &Seen) -> (Lattice, f64) {
        let Some(usual) = self.usual else { return (seen.lattice.clone(), seen.confidence) };
        let lattice = usual.weighed(&seen.lattice);
        let confidence = shifted(seen.confidence, seen.lattice.best_probability(), lattice.best_probability());
        // Usual characters do not tell that none was missed; whole names of places, which are listed, do.
        let is_same = self.listed.is_none() && lattice.best() == seen.lattice.best();
        (lattice, if is_same { confidence.min(seen.confidence) } else { confidence })
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
