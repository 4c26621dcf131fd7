//! Number, birth date and gender, weighed together: the number repeats the other two.

use time::Date;

use super::number::NumberObservation;
use super::parameters::{Context, Parameters};
use super::posterior::Posterior;
use super::settle::{Field, Settled, corrected};
use super::{birth_date, gender, number};
use crate::field::BirthDate;
use crate::finding::{Finding, Severity};
use crate::gender::Gender;
use crate::id_number::{IdNumber, IdNumberError, Warning};
use crate::reading::{FieldName, ReadCard, ReadField};
use crate::result::FieldResult;
use crate::rule::Rule;

/// The three fields of a front that say the same.
pub(crate) struct Identity {
    pub(crate) number: Settled<IdNumber>,
    pub(crate) birth_date: Settled<Date>,
    pub(crate) gender: Settled<Gender>,
}

/// Settles the three fields of a card.
pub(crate) fn settle(card: &ReadCard, context: &Context<'_>, findings: &mut Vec<Finding>) -> Identity {
    let parameters = context.parameters;
    let of = |name: FieldName| card.fields.get(&name).filter(|read| !read.text().is_empty());
    let (number, birth_date, gender) = (of(FieldName::IdentityNo), of(FieldName::BirthDate), of(FieldName::Gender));

    let birth_dates = birth_date.map_or_else(Posterior::nothing, |read| birth_date::weigh(read, context));
    let genders = gender.map_or_else(Posterior::nothing, |read| gender::weigh(read, parameters));
    let observation = number.map(|read| number::weigh(read, &birth_dates, context));
    let numbers = observation.as_ref().map_or_else(Posterior::nothing, |observation| observation.posterior.clone());

    // A date that completed the number cannot support it as well.
    let completed = observation.as_ref().is_some_and(|observation| observation.wrong_length);
    let joint_numbers =
        numbers_given(numbers.clone(), if completed { None } else { Some(&birth_dates) }, &genders, parameters);
    let number = match (number, &observation) {
        (Some(read), Some(observation)) => settle_number(read, observation, &joint_numbers, context, findings),
        _ => Settled::missing(),
    };

    let clear_date = is_clear(&birth_dates, parameters);
    let joint_dates = given_number(birth_dates, &numbers, IdNumber::birth_date, parameters.any_date, parameters);
    let repeated = Repeated {
        number: &number,
        printed: |born: &Date| BirthDate::new(*born).reveal_printed(),
        of: IdNumber::birth_date,
    };
    let date_field = RepeatedField {
        name: FieldName::BirthDate,
        read: birth_date,
        corrected: Rule::BirthDateCorrected,
        invalid: invalid_birth_date,
        is_clear: clear_date,
    };
    let birth_date = repeated.settle(&date_field, &joint_dates, context, findings);

    let clear_gender = is_clear(&genders, parameters);
    let joint_genders = given_number(genders, &numbers, IdNumber::gender, parameters.any_gender, parameters);
    let repeated =
        Repeated { number: &number, printed: |gender: &Gender| gender.as_chinese().to_owned(), of: IdNumber::gender };
    let gender_field = RepeatedField {
        name: FieldName::Gender,
        read: gender,
        corrected: Rule::GenderCorrected,
        invalid: |_| Rule::GenderUnknown,
        is_clear: clear_gender,
    };
    let gender = repeated.settle(&gender_field, &joint_genders, context, findings);
    Identity { number, birth_date, gender }
}

/// What was read is valid and nearly certain.
fn is_clear<T>(posterior: &Posterior<T>, parameters: &Parameters) -> bool {
    posterior.as_read().is_some_and(|reading| reading.weight >= parameters.clear_from)
}

/// The numbers, given what birth date and gender say.
fn numbers_given(
    numbers: Posterior<IdNumber>,
    dates: Option<&Posterior<Date>>,
    genders: &Posterior<Gender>,
    parameters: &Parameters,
) -> Posterior<IdNumber> {
    let Parameters { contradiction_rate, any_date, any_gender, same_date, .. } = *parameters;
    let of_gender =
        |gender: Gender| genders.sum(|one| *one == gender) + genders.unknown() * any_gender + contradiction_rate;
    let numbers_dates: Vec<Date> = numbers.readings.iter().map(|reading| reading.value.birth_date()).collect();
    let of_date = |date: Date| match dates {
        Some(dates) => dates.sum(|one| *one == date) + dates.unknown() * any_date + contradiction_rate,
        None => 1.0,
    };
    let of_others = match dates {
        Some(dates) => {
            let shared = dates.sum(|date| numbers_dates.contains(date));
            let foreign = dates.sum(|date| !numbers_dates.contains(date));
            shared * same_date + (foreign + dates.unknown()) * any_date + contradiction_rate
        }
        None => 1.0,
    };
    numbers.times(|number| of_date(number.birth_date()) * of_gender(number.gender()), of_others * any_gender)
}

/// A field's readings, given what the number says. `some` is the probability that an unknown reading is a certain one.
fn given_number<T: PartialEq>(
    field: Posterior<T>,
    numbers: &Posterior<IdNumber>,
    of: fn(&IdNumber) -> T,
    some: f64,
    parameters: &Parameters,
) -> Posterior<T> {
    let contradiction_rate = parameters.contradiction_rate;
    let agreement =
        |value: &T| numbers.sum(|number| of(number) == *value) + numbers.unknown() * some + contradiction_rate;
    field.times(agreement, some + contradiction_rate)
}

fn settle_number(
    read: &ReadField,
    observation: &NumberObservation,
    posterior: &Posterior<IdNumber>,
    context: &Context<'_>,
    findings: &mut Vec<Finding>,
) -> Settled<IdNumber> {
    let corrected = if observation.wrong_length { Rule::LengthCorrected } else { Rule::ChecksumCorrected };
    let field = Field {
        name: FieldName::IdentityNo,
        read,
        text: &observation.text,
        corrected,
        is_clear: is_clear(&observation.posterior, context.parameters),
        by_odds: false,
        label_removed: false,
    };
    let settled = field.settle(posterior, context.policy, findings);
    match (&settled.value, &settled.result) {
        (Some(number), _) => findings.extend(number.warnings(context.today).into_iter().map(|warning| {
            let rule = match warning {
                Warning::RegionUnknown => Rule::RegionUnknown,
                Warning::RegionNotAtTime => Rule::RegionNotAtTime,
                Warning::Age | Warning::CenturyInferred => Rule::ImplausibleAge,
            };
            rule.of(FieldName::IdentityNo)
        })),
        (None, Some(result)) => {
            let rule = invalid_number(&result.text, context.today);
            findings.push(Finding { severity: Severity::Error, ..rule.of(FieldName::IdentityNo) });
        }
        (None, None) => {}
    }
    settled
}

/// Why a text is not the number of a card.
fn invalid_number(text: &str, today: Date) -> Rule {
    match IdNumber::parse(text, today) {
        // 15 digits, upgraded: no number of these cards.
        Ok(_) | Err(IdNumberError::Length) => Rule::Length,
        Err(IdNumberError::OtherDocument(_)) => Rule::OtherDocument,
        Err(IdNumberError::Character) => Rule::Character,
        Err(IdNumberError::Province) => Rule::Province,
        Err(IdNumberError::Date) => Rule::Date,
        Err(IdNumberError::Future) => Rule::Future,
        Err(IdNumberError::Checksum(_)) => Rule::Checksum,
        Err(IdNumberError::RegionUnknown) => Rule::RegionUnknown,
        Err(IdNumberError::RegionNotAtTime) => Rule::RegionNotAtTime,
    }
}

/// Why a text is not a birth date.
fn invalid_birth_date(text: &str) -> Rule {
    match BirthDate::parse(text) {
        // It exists, but was refused all the same.
        Ok(_) => Rule::Future,
        Err(rule) => rule,
    }
}

/// What the number says about a field that it repeats.
struct Repeated<'a, T> {
    number: &'a Settled<IdNumber>,
    printed: fn(&T) -> String,
    of: fn(&IdNumber) -> T,
}

/// A field that the number repeats, as it was read.
struct RepeatedField<'a> {
    name: FieldName,
    read: Option<&'a ReadField>,
    corrected: Rule,
    /// Names what is wrong with a text that means nothing.
    invalid: fn(&str) -> Rule,
    is_clear: bool,
}

impl<T: Clone + PartialEq> Repeated<'_, T> {
    /// The field by its own readings; from the number if these are not readable and the number is sure.
    fn settle(
        &self,
        field: &RepeatedField<'_>,
        posterior: &Posterior<T>,
        context: &Context<'_>,
        findings: &mut Vec<Finding>,
    ) -> Settled<T> {
        if let Some(filled) = self.fill(field, posterior, context, findings) {
            return filled;
        }
        let Some(read) = field.read else { return Settled::missing() };
        let text = read.text();
        let unsettled = Field {
            name: field.name,
            read,
            text: &text,
            corrected: field.corrected,
            is_clear: field.is_clear,
            by_odds: false,
            label_removed: false,
        };
        let settled = unsettled.settle(posterior, context.policy, findings);
        if settled.value.is_none() {
            findings.push((field.invalid)(&text).of(field.name));
        }
        settled
    }

    fn fill(
        &self,
        field: &RepeatedField<'_>,
        posterior: &Posterior<T>,
        context: &Context<'_>,
        findings: &mut Vec<Finding>,
    ) -> Option<Settled<T>> {
        let (Some(number), Some(source)) = (&self.number.value, &self.number.result) else { return None };
        let unreadable = posterior.unknown() >= f64::from(context.policy.correct_from) && !field.is_clear;
        if !unreadable || f64::from(source.confidence) < context.parameters.clear_from {
            return None;
        }
        let value = (self.of)(number);
        let confidence = posterior.unknown() * f64::from(source.confidence);
        findings.push(corrected(Rule::FilledFromNumber, field.name, confidence, context.policy));
        let text = (self.printed)(&value);
        let result = FieldResult {
            text: text.clone(),
            confidence: confidence as f32,
            // Without a place of its own it stands where the number stands.
            quad: field.read.map_or(source.quad, |read| read.quad),
            raw: field.read.map(ReadField::text).filter(|raw| *raw != text),
            alternatives: Vec::new(),
        };
        Some(Settled { value: Some(value), result: Some(result) })
    }
}
