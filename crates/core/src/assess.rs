//! From cards as read to the result of a picture.

use std::collections::BTreeMap;
use std::fmt;

use time::Date;

use crate::card_validity::CardValidity;
use crate::constraint::parameters::{Context, Parameters};
use crate::constraint::settle::Settled;
use crate::constraint::{identity, permit, truncation, validity, words};
use crate::cross::{Back, Front, check_sides};
use crate::document::DocumentType;
use crate::field::{Authority, Ethnicity, IssueCount, PermitNumber};
use crate::finding::Finding;
use crate::id_number::Holder;
use crate::mask::Count;
use crate::policy::{Policy, PolicyInfo};
use crate::reading::{FieldName, ReadCard, Side};
use crate::region::gazetteer::leading_region;
use crate::result::{CardResult, Decision, Elapsed, FieldResult, ModelInfo, PictureResult, Status};
use crate::rule::Rule;

/// A picture without a field as sure as this shows no card, whatever looked like one: other documents have lines too. The
/// name counts for nothing, because any characters can be one, and no more do words that a card does not print.
const LEGIBLE_FROM: f32 = 0.5;

/// A field of which a part is hidden with at least this probability is called occluded: more likely than not.
const OCCLUDED_FROM: f64 = 0.5;

/// Everything that the rules say about the cards of one picture.
#[derive(Clone, PartialEq)]
pub struct Assessment {
    /// `Ok` if a card was found and something on it could be read, else `Fail`.
    pub status: Status,
    /// The fields of all cards by the names of the documented service; "" where one could not be read.
    pub message: BTreeMap<String, String>,
    /// The cards, in the order in which they were given.
    pub cards: Vec<CardResult>,
    /// Every doubt and every correction.
    pub findings: Vec<Finding>,
    /// What to do with the picture.
    pub decision: Decision,
    /// Whether the card is valid today.
    pub validity: CardValidity,
    /// The policy that decided.
    pub policy: PolicyInfo,
}

/// Shows everything but the texts.
impl fmt::Debug for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assessment")
            .field("status", &self.status)
            .field("message", &Count(self.message.len()))
            .field("cards", &self.cards)
            .field("findings", &self.findings)
            .field("decision", &self.decision)
            .field("validity", &self.validity)
            .field("policy", &self.policy)
            .finish()
    }
}

impl Assessment {
    /// The result of the picture, once it is said who read it and how long it took.
    pub fn into_result(self, model: ModelInfo, elapsed_ms: Elapsed) -> PictureResult {
        let Assessment { status, message, cards, findings, decision, validity, policy } = self;
        PictureResult { status, message, cards, findings, decision, validity, policy: Some(policy), model, elapsed_ms }
    }
}

/// Checks the cards of one picture and decides.
///
/// `today` is the day in Asia/Shanghai. Nothing in `cards` makes it panic. What is corrected, and why, is said in
/// [`FieldResult::raw`] and in the findings; every rule is listed in [`Rule`].
///
/// [`FieldResult::raw`]: crate::FieldResult::raw
pub fn assess(cards: Vec<ReadCard>, today: Date, policy: &Policy) -> Assessment {
    assess_with(cards, today, policy, &Parameters::FITTED)
}

/// The same with other parameters of the priors: for fitting them.
pub fn assess_with(cards: Vec<ReadCard>, today: Date, policy: &Policy, parameters: &Parameters) -> Assessment {
    let context = Context { today, policy, parameters };
    let checked: Vec<Checked> = cards.iter().map(|card| Checked::new(card, &context)).collect();
    let front = chosen(&checked, Side::Front);
    let back = chosen(&checked, Side::Back);

    let mut findings: Vec<Finding> = checked.iter().flat_map(|card| card.findings.clone()).collect();
    for (side, rule) in [(Side::Front, Rule::SeveralFronts), (Side::Back, Rule::SeveralBacks)] {
        if checked.iter().filter(|card| card.result.side == side).count() > 1 {
            findings.push(rule.of_card());
        }
    }
    if has_different_holders(&checked) {
        findings.push(Rule::DifferentHolders.of_card());
    }
    if let (Some(front), Some(back)) = (front, back) {
        findings.extend(check_sides(&front.front, &back.back, back.result.document_type));
    }
    let failure = failure(&checked);
    findings.extend(failure.map(Rule::of_card));
    findings.iter_mut().for_each(|finding| policy.grade(finding));

    let validity = back.filter(|_| failure.is_none()).map_or(CardValidity::Unknown, |back| back.validity(&context));
    let mut message = message(front, back);
    if failure.is_some() {
        message.values_mut().for_each(String::clear);
    }
    let cards: Vec<CardResult> = checked.into_iter().map(|card| card.result).collect();
    let decision = policy.decide(&cards, &findings);
    let status = if failure.is_some() { Status::Fail } else { Status::Ok };
    Assessment { status, message, cards, findings, decision, validity, policy: policy.info() }
}

/// A card after its own rules. The values of the side that it is not stay empty.
struct Checked {
    result: CardResult,
    front: Front,
    back: Back,
    findings: Vec<Finding>,
}

impl Checked {
    fn new(card: &ReadCard, context: &Context<'_>) -> Checked {
        let Context { today, policy, .. } = *context;
        let mut findings = Vec::new();
        let mut fields = BTreeMap::new();
        let (front, back, document_type) = match card.side {
            Side::Front => {
                let front = read_front(card, context, &mut fields, &mut findings);
                let document_type = front.holder().map(DocumentType::of_holder).unwrap_or_default();
                (front, Back::default(), document_type)
            }
            Side::Back => {
                let document_type = document_of_back(card);
                findings.extend(unread_permit(card, document_type));
                (Front::default(), read_back(card, document_type, context, &mut fields, &mut findings), document_type)
            }
        };
        findings.extend(hide(card, &front, &mut fields, context.parameters));
        findings.extend(front.check(today));
        findings.extend(back.check(today));
        let expected = document_type.fields(card.side);
        for &name in expected {
            findings.extend(doubt(name, fields.get(&name), policy));
        }
        let result = CardResult {
            document_type,
            side: card.side,
            quad: card.quad,
            rotation: card.rotation,
            confidence: confidence(expected, &fields),
            fields,
            quality: card.quality,
        };
        findings.extend(of_quality(&result, policy));
        Checked { result, front, back, findings }
    }

    /// Whether the card is valid, if its period was read surely.
    fn validity(&self, context: &Context<'_>) -> CardValidity {
        let read = self.result.fields.get(&FieldName::EffectiveDate);
        let is_sure = read.is_some_and(|field| field.confidence >= context.policy.field_from);
        CardValidity::on(context.today, self.back.validity.filter(|_| is_sure))
    }

    /// Whose travel permit a back names.
    fn permit_holder(&self) -> Option<Holder> {
        self.back.permit_number.as_ref().map(PermitNumber::holder)
    }
}

type Fields = BTreeMap<FieldName, FieldResult>;

fn read_front(card: &ReadCard, context: &Context<'_>, fields: &mut Fields, findings: &mut Vec<Finding>) -> Front {
    let identity = identity::settle(card, context, findings);
    let number = keep(FieldName::IdentityNo, identity.number, fields);
    let birth_date = keep(FieldName::BirthDate, identity.birth_date, fields);
    let gender = keep(FieldName::Gender, identity.gender, fields);
    if let Some(read) = card.fields.get(&FieldName::Name) {
        keep(FieldName::Name, words::name(read, context, findings), fields);
    }
    if let Some(read) = card.fields.get(&FieldName::Ethnic) {
        keep(FieldName::Ethnic, words::ethnic(read, context, findings), fields);
    }
    let address = card.fields.get(&FieldName::Address);
    let address = address.and_then(|read| keep(FieldName::Address, words::address(read, context, findings), fields));
    Front { number, birth_date, gender, address }
}

/// A back with a travel permit's number, or with what may be one and a count of issues, is that of a residence permit. Labels may have
/// been read with the number.
fn document_of_back(card: &ReadCard) -> DocumentType {
    let (number, count) = (text_of(card, FieldName::PermitNumber), text_of(card, FieldName::IssueCount));
    let mut parts = number.split(|character: char| !matches!(character, 'H' | 'M' | '0'..='9'));
    let has_rows = !number.is_empty() && IssueCount::parse(&count).is_ok();
    match has_rows || parts.any(|part| PermitNumber::parse(part).is_ok()) {
        true => DocumentType::HmtResidencePermit,
        false => DocumentType::ResidentId,
    }
}

/// Something in the row of a permit's number on a back that is not known to be a permit's: a permit that was not read, so that the back is
/// not accepted as a resident card's. Of 550 drawn backs of resident cards two had something there.
fn unread_permit(card: &ReadCard, document_type: DocumentType) -> Option<Finding> {
    let is_stray = document_type == DocumentType::ResidentId && !text_of(card, FieldName::PermitNumber).is_empty();
    is_stray.then(|| Rule::PermitNumberForm.of(FieldName::PermitNumber))
}

fn text_of(card: &ReadCard, name: FieldName) -> String {
    card.fields.get(&name).map(|read| read.text()).unwrap_or_default()
}

fn read_back(
    card: &ReadCard,
    document_type: DocumentType,
    context: &Context<'_>,
    fields: &mut Fields,
    findings: &mut Vec<Finding>,
) -> Back {
    let authority = card.fields.get(&FieldName::Authority);
    let authority =
        authority.and_then(|read| keep(FieldName::Authority, words::authority(read, context, findings), fields));
    let validity = card.fields.get(&FieldName::EffectiveDate).filter(|read| !read.text().is_empty());
    let validity =
        validity.and_then(|read| keep(FieldName::EffectiveDate, validity::settle(read, context, findings), fields));
    let of_permit =
        |name: FieldName| card.fields.get(&name).filter(|_| document_type.fields(Side::Back).contains(&name));
    let permit_number = of_permit(FieldName::PermitNumber)
        .and_then(|read| keep(FieldName::PermitNumber, permit::number(read, context, findings), fields));
    if let Some(read) = of_permit(FieldName::IssueCount) {
        keep(FieldName::IssueCount, permit::issue_count(read, context, findings), fields);
    }
    Back { authority, validity, permit_number }
}

/// Puts a settled field into the result, and hands on its value.
fn keep<T>(name: FieldName, settled: Settled<T>, fields: &mut Fields) -> Option<T> {
    if let Some(result) = settled.result {
        fields.insert(name, result);
    }
    settled.value
}

/// Takes the probability that something of a field is hidden into its confidence: P(right) means right and whole. What the networks
/// see is weighed together with what the text looks like. A birth date or gender that the number repeats is whole if the number is,
/// whatever hides a part of it. A finding for each field of which a part is more likely hidden than not.
fn hide(card: &ReadCard, front: &Front, fields: &mut Fields, parameters: &Parameters) -> Vec<Finding> {
    let mut hidden: BTreeMap<FieldName, f64> = BTreeMap::new();
    for (&name, &seen) in &card.hidden {
        let seen = if seen.is_finite() { f64::from(seen.clamp(0.0, 1.0)) } else { 1.0 };
        let ratio = fields.get(&name).map_or(1.0, |field| truncation::ratio(name, &field.text, parameters));
        hidden.insert(name, truncation::given(seen, ratio));
    }
    let number = fields.get(&FieldName::IdentityNo).map_or(0.0, |number| f64::from(number.confidence));
    let number = number * (1.0 - hidden.get(&FieldName::IdentityNo).copied().unwrap_or(0.0));
    for (name, &hidden) in &hidden {
        let missing = if front.number_repeats(*name) { hidden * (1.0 - number) } else { hidden };
        if let Some(field) = fields.get_mut(name) {
            field.confidence *= (1.0 - missing) as f32;
        }
    }
    hidden.iter().filter(|(_, hidden)| **hidden >= OCCLUDED_FROM).map(|(name, _)| Rule::Occluded.of(*name)).collect()
}

/// A field that is missing or not sure.
fn doubt(name: FieldName, field: Option<&FieldResult>, policy: &Policy) -> Option<Finding> {
    match field {
        None => Some(Rule::Missing.of(name)),
        Some(field) if field.text.is_empty() => Some(Rule::Missing.of(name)),
        Some(field) if field.confidence < policy.field_from => Some(Rule::LowConfidence.of(name)),
        Some(_) => None,
    }
}

/// The probability that all fields are right, as if they were read independently; 0 if one is missing.
fn confidence(expected: &[FieldName], fields: &Fields) -> f32 {
    expected.iter().map(|name| fields.get(name).map_or(0.0, |field| field.confidence)).product()
}

fn of_quality(card: &CardResult, policy: &Policy) -> Vec<Finding> {
    let incomplete = card.quality.completeness < policy.completeness_from;
    let raised = [(incomplete, Rule::Incomplete), (card.quality.monochrome, Rule::Monochrome)];
    raised.iter().filter(|(is_raised, _)| *is_raised).map(|(_, rule)| rule.of_card()).collect()
}

/// Of the cards of one side the most confident one; of equal ones the first.
fn chosen(cards: &[Checked], side: Side) -> Option<&Checked> {
    let of_side = cards.iter().filter(|card| card.result.side == side);
    of_side.reduce(|best, next| if next.result.confidence > best.result.confidence { next } else { best })
}

/// Whether two fronts bear different numbers.
fn has_different_holders(cards: &[Checked]) -> bool {
    let mut numbers = cards.iter().filter_map(|card| card.front.number);
    numbers.next().is_some_and(|first| numbers.any(|other| other != first))
}

/// Why there is no result, if there is none.
fn failure(cards: &[Checked]) -> Option<Rule> {
    if cards.is_empty() {
        return Some(Rule::NoCard);
    }
    let mut fields = cards.iter().flat_map(|card| &card.result.fields);
    let is_evidence = |(name, field): (&FieldName, &FieldResult)| {
        field.confidence >= LEGIBLE_FROM && is_of_a_card(*name, &field.text)
    };
    (!fields.any(is_evidence)).then_some(Rule::NothingReadable)
}

/// Whether a field's text is one that only cards have.
fn is_of_a_card(name: FieldName, text: &str) -> bool {
    match name {
        FieldName::Name => false,
        FieldName::Ethnic => Ethnicity::parse(text).is_ok(),
        FieldName::Address => leading_region(text, |_| true).is_some(),
        FieldName::Authority => Authority::parse(text).is_ok(),
        _ => !text.is_empty(),
    }
}

/// The fields by the names of the documented service, which knows those of resident cards alone.
fn message(front: Option<&Checked>, back: Option<&Checked>) -> BTreeMap<String, String> {
    let texts = [front, back].into_iter().flatten().flat_map(|card| {
        DocumentType::ResidentId.fields(card.result.side).iter().map(|name| {
            let text = card.result.fields.get(name).map(|field| field.text.clone());
            (name.as_str().to_owned(), text.unwrap_or_default())
        })
    });
    // The title stands on the back; a number tells it too, where it is not the usual one.
    let holder = front.and_then(|card| card.front.holder()).or(back.and_then(Checked::permit_holder));
    let document = back.or(front).map(|card| card.result.document_type);
    let title = document.filter(|document| back.is_some() || *document != DocumentType::ResidentId);
    let nationality = back.map(|_| ("nationality", "中华人民共和国"));
    let printed = nationality.into_iter().chain(title.map(|document| ("cType", document.title(holder))));
    texts.chain(printed.map(|(name, text)| (name.to_owned(), text.to_owned()))).collect()
}
