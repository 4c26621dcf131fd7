//! Rules between fields, and between the two sides of a card.

use time::Date;

use crate::document::DocumentType;
use crate::field::{Address, Authority, FIRST_ISSUE, PermitNumber, Validity, age_on};
use crate::finding::Finding;
use crate::gender::Gender;
use crate::id_number::{Holder, IdNumber};
use crate::reading::FieldName;
use crate::rule::Rule;

/// Younger holders are minors.
const FULL_AGE: i32 = 18;

/// What could be read on a front.
#[derive(Default)]
pub(crate) struct Front {
    pub(crate) number: Option<IdNumber>,
    pub(crate) birth_date: Option<Date>,
    pub(crate) gender: Option<Gender>,
    pub(crate) address: Option<Address>,
}

/// What could be read on a back.
#[derive(Default)]
pub(crate) struct Back {
    pub(crate) authority: Option<Authority>,
    pub(crate) validity: Option<Validity>,
    pub(crate) permit_number: Option<PermitNumber>,
}

impl Front {
    /// The birth date: the number's before the field's, because it has a check digit.
    fn born(&self) -> Option<Date> {
        self.number.map(|number| number.birth_date()).or(self.birth_date)
    }

    /// Whether the number says what was read in this field.
    pub(crate) fn number_repeats(&self, field: FieldName) -> bool {
        self.number.is_some_and(|number| match field {
            FieldName::BirthDate => self.birth_date == Some(number.birth_date()),
            FieldName::Gender => self.gender == Some(number.gender()),
            _ => false,
        })
    }

    /// Number against birth date and gender; whose number it is; minors.
    pub(crate) fn check(&self, today: Date) -> Vec<Finding> {
        let differs = |number: &IdNumber| self.birth_date.is_some_and(|date| date != number.birth_date());
        let other_gender = |number: &IdNumber| self.gender.is_some_and(|gender| gender != number.gender());
        let raised = [
            (self.number.as_ref().is_some_and(differs), Rule::BirthDateMismatch, FieldName::BirthDate),
            (self.number.as_ref().is_some_and(other_gender), Rule::GenderMismatch, FieldName::Gender),
            (self.is_non_citizen_document(), Rule::NonCitizenDocument, FieldName::IdentityNo),
            (self.born().is_some_and(|born| age_on(born, today) < FULL_AGE), Rule::Minor, FieldName::BirthDate),
        ];
        findings(&raised)
    }

    /// Whose number it is.
    pub(crate) fn holder(&self) -> Option<Holder> {
        self.number.map(|number| number.holder())
    }

    fn is_non_citizen_document(&self) -> bool {
        self.holder().is_some_and(|holder| holder != Holder::Mainland)
    }
}

impl Back {
    /// The validity against the law and `today`.
    pub(crate) fn check(&self, today: Date) -> Vec<Finding> {
        let Some(validity) = self.validity else { return Vec::new() };
        let field = FieldName::EffectiveDate;
        findings(&[
            (validity.term().is_none(), Rule::InvalidValidityPeriod, field),
            (validity.from() < FIRST_ISSUE, Rule::IssuedTooEarly, field),
            (validity.from() > today, Rule::IssuedInFuture, field),
            (validity.is_expired(today), Rule::Expired, field),
        ])
    }
}

/// The two sides of one card, of which the back is of a `document`.
pub(crate) fn check_sides(front: &Front, back: &Back, document: DocumentType) -> Vec<Finding> {
    let validity = back.validity.zip(front.born());
    let before_birth = validity.is_some_and(|(validity, born)| validity.from() < born);
    // A permit's term does not depend on the holder's age.
    let wrong_term = document == DocumentType::ResidentId
        && validity
            .is_some_and(|(validity, born)| !before_birth && validity.term().is_some() && !validity.term_fits(born));
    let elsewhere = match (&back.authority, &front.address) {
        (Some(authority), Some(address)) => !shares_place(authority, address),
        _ => false,
    };
    let is_other_document = front.holder().is_some_and(|holder| {
        let is_other_holder = back.permit_number.as_ref().is_some_and(|number| number.holder() != holder);
        DocumentType::of_holder(holder) != document || is_other_holder
    });
    let mut raised = findings(&[
        (before_birth, Rule::IssuedBeforeBirth, FieldName::EffectiveDate),
        (wrong_term, Rule::TermForAge, FieldName::EffectiveDate),
        (elsewhere, Rule::AuthorityAddress, FieldName::Authority),
    ]);
    raised.extend(is_other_document.then(|| Rule::DocumentMismatch.of_card()));
    raised
}

/// Whether the place of the bureau or of its branch occurs in the address, the rank (市, 区, 县) left aside.
fn shares_place(authority: &Authority, address: &Address) -> bool {
    let (place, branch) = authority.reveal_parts();
    [branch, place].iter().any(|name| {
        let stem = name.trim_end_matches(['市', '区', '县', '旗']);
        stem.chars().count() > 1 && address.reveal().contains(stem)
    })
}

fn findings(raised: &[(bool, Rule, FieldName)]) -> Vec<Finding> {
    raised.iter().filter(|(is_raised, ..)| *is_raised).map(|(_, rule, field)| rule.of(*field)).collect()
}
