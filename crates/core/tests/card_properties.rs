//! Properties that hold for whatever a reader hands over.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shenfen_core::id_number::check_digit;
use shenfen_core::{
    Assessment, Candidate, CardColumns, Decision, Elapsed, FieldName, Finding, IdNumber, ModelInfo, PictureResult,
    Policy, Quality, ReadCard, ReadChar, ReadField, Rotation, Rule, Severity, Side, assess,
};
use time::macros::date;
use time::{Date, Duration};

const TODAY: Date = date!(2026 - 11 - 23);
const QUAD: [[f32; 2]; 4] = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];

/// Digits and their look-alikes, marks, label characters, and what values are made of.
fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        5 => proptest::char::range('0', '9'),
        3 => proptest::sample::select("XxOIlZSB.-·・年月日长期姓名性别民族男女汉土家省市县公安局分".chars().collect::<Vec<char>>()),
        1 => any::<char>(),
    ]
}

fn probability() -> impl Strategy<Value = f32> {
    prop_oneof![8 => 0.0_f32..=1.0, 1 => any::<f32>()]
}

fn read_char() -> impl Strategy<Value = ReadChar> {
    let candidate =
        (character(), probability()).prop_map(|(character, probability)| Candidate { character, probability });
    (prop::collection::vec(candidate, 0..6), probability(), any::<u8>())
        .prop_map(|(candidates, position, line)| ReadChar { candidates, position, line })
}

fn read_field() -> impl Strategy<Value = ReadField> {
    let length = prop_oneof![2 => 0..24_usize, 1 => 16..20_usize];
    let chars = length.prop_flat_map(|length| prop::collection::vec(read_char(), length));
    (chars, probability()).prop_map(|(chars, confidence)| ReadField { chars, confidence, quad: QUAD })
}

fn read_card() -> impl Strategy<Value = ReadCard> {
    let names = FieldName::FRONT.into_iter().chain(FieldName::BACK).collect::<Vec<FieldName>>();
    let fields = prop::collection::btree_map(proptest::sample::select(names), read_field(), 0..8);
    let hidden = prop::collection::btree_map(proptest::sample::select(FieldName::FRONT.to_vec()), probability(), 0..3);
    (any::<bool>(), fields, hidden, any::<bool>()).prop_map(|(is_front, fields, hidden, monochrome)| ReadCard {
        side: if is_front { Side::Front } else { Side::Back },
        quad: QUAD,
        rotation: Rotation::Deg0,
        fields,
        hidden,
        quality: Quality { sharpness: 1.0, exposure: 1.0, glare: 1.0, resolution: 1.0, completeness: 1.0, monochrome },
    })
}

/// A valid number with any first digits that name a province.
fn number() -> impl Strategy<Value = String> {
    (0..5_u32, 0..10_000_u32, 0..45_000_i64, 0..1000_u32).prop_map(|(province, place, day, sequence)| {
        let born = TODAY - Duration::days(day);
        let province = [11, 33, 44, 52, 65][province as usize];
        let body = format!(
            "{province}{place:04}{:04}{:02}{:02}{sequence:03}",
            born.year(),
            u8::from(born.month()),
            born.day()
        );
        let body: [u8; 17] = body.into_bytes().try_into().expect("17 bytes");
        let digit = check_digit(&body).expect("17 digits");
        let body = String::from_utf8_lossy(&body);
        format!("{body}{digit}")
    })
}

/// Characters of which each is sure but for a few other candidates.
fn sure(text: &str, probability: f32, others: &[char]) -> ReadField {
    let chars: Vec<ReadChar> = text
        .chars()
        .enumerate()
        .map(|(at, character)| {
            let rest = others.iter().filter(|other| **other != character);
            let other = |other: &char| Candidate { character: *other, probability: (1.0 - probability) / 4.0 };
            let best = Candidate { character, probability };
            ReadChar {
                candidates: std::iter::once(best).chain(rest.map(other)).collect(),
                position: at as f32,
                line: 0,
            }
        })
        .collect();
    ReadField { confidence: probability.powi(chars.len() as i32), chars, quad: QUAD }
}

fn front(fields: impl IntoIterator<Item = (FieldName, ReadField)>) -> ReadCard {
    ReadCard {
        side: Side::Front,
        quad: QUAD,
        rotation: Rotation::Deg0,
        fields: fields.into_iter().collect(),
        hidden: BTreeMap::new(),
        quality: Quality {
            sharpness: 1.0,
            exposure: 1.0,
            glare: 1.0,
            resolution: 1.0,
            completeness: 1.0,
            monochrome: false,
        },
    }
}

fn result(cards: Vec<ReadCard>) -> PictureResult {
    result_of(assess(cards, TODAY, &Policy::default()))
}

/// Policies that differ in what can be judged without the picture.
fn policy() -> impl Strategy<Value = Policy> {
    let fields: Vec<FieldName> = FieldName::FRONT.into_iter().chain(FieldName::BACK).collect();
    let severity = proptest::sample::select(vec![Severity::Info, Severity::Warning, Severity::Error]);
    let severities = prop::collection::btree_map(proptest::sample::select(Rule::ALL.to_vec()), severity, 0..20);
    let required = prop::collection::btree_set(proptest::sample::select(fields), 0..9);
    let on_error = proptest::sample::select(Decision::ALL.to_vec());
    (severities, required, on_error, 0.0..=1.0_f32, 0.0..=1.0_f32).prop_map(
        |(severities, required, on_error, accept_from, field_from)| Policy {
            severities,
            required,
            on_error,
            accept_from,
            field_from,
            ..Policy::default()
        },
    )
}

/// What a candidate may stand for in a number.
fn digits_of(read: &ReadChar) -> Vec<char> {
    let standard = |candidate: &Candidate| match candidate.character {
        'O' => '0',
        'I' | 'l' => '1',
        'Z' => '2',
        'S' => '5',
        'B' => '8',
        'x' => 'X',
        other => other,
    };
    read.candidates.iter().map(standard).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn never_panics_and_gives_confidences_between_0_and_1(cards in prop::collection::vec(read_card(), 0..4)) {
        let result = result(cards);
        for card in &result.cards {
            prop_assert!((0.0..=1.0).contains(&card.confidence));
            prop_assert!(card.fields.values().all(|field| (0.0..=1.0).contains(&field.confidence)));
        }
    }

    #[test]
    fn assessment_is_deterministic_and_survives_json(cards in prop::collection::vec(read_card(), 0..4)) {
        let first = serde_json::to_string(&result(cards.clone())).unwrap();
        prop_assert_eq!(&first, &serde_json::to_string(&result(cards)).unwrap());
        let back: PictureResult = serde_json::from_str(&first).unwrap();
        prop_assert_eq!(serde_json::to_string(&back).unwrap(), first);
    }

    #[test]
    fn a_policy_decides_about_a_stored_result_as_about_the_picture(
        cards in prop::collection::vec(read_card(), 0..2),
        before in policy(),
        after in policy(),
    ) {
        let stored = serde_json::to_string(&result_of(assess(cards.clone(), TODAY, &before))).unwrap();
        let reconsidered = after.reconsider(&serde_json::from_str(&stored).unwrap());
        let read = assess(cards, TODAY, &after);
        prop_assert_eq!(reconsidered.decision, read.decision);
        let sorted = |findings: Vec<Finding>| {
            let mut findings: Vec<String> = findings.iter().map(|finding| format!("{finding:?}")).collect();
            findings.sort();
            findings
        };
        prop_assert_eq!(sorted(reconsidered.findings), sorted(read.findings));
    }

    #[test]
    fn is_never_surer_of_a_field_of_which_more_is_hidden(card in read_card(), name in 0..6_usize, hidden in 0.0..=1.0_f32) {
        let name = FieldName::FRONT[name];
        let confidence = |hidden: f32| {
            let mut card = card.clone();
            card.hidden.insert(name, hidden);
            result(vec![card]).cards[0].fields.get(&name).map(|field| field.confidence)
        };
        let (whole, partly) = (confidence(0.0), confidence(hidden));
        // The number repeats the other two.
        let is_repeated = [FieldName::BirthDate, FieldName::Gender].contains(&name);
        let left = if is_repeated { 1.0 } else { 1.0 - hidden };
        prop_assert!(partly <= whole.map(|whole| whole * left + 1e-6));
    }

    #[test]
    fn keeps_the_raw_text_of_a_changed_field(card in read_card()) {
        let result = result(vec![card.clone()]);
        for (name, field) in &result.cards[0].fields {
            let read = card.fields.get(name).map(ReadField::text);
            if let Some(read) = read.filter(|read| *read != field.text) {
                prop_assert_eq!(field.raw.as_ref(), Some(&read));
                prop_assert!(result.findings.iter().any(|finding| finding.field == Some(*name)));
            } else {
                prop_assert_eq!(field.raw.as_ref(), None);
            }
        }
    }

    #[test]
    fn never_changes_a_valid_number_read_for_certain(number in number(), mut card in read_card()) {
        card.side = Side::Front;
        card.fields.insert(FieldName::IdentityNo, sure(&number, 0.99999, &['0', '3', '8']));
        let result = result(vec![card]);
        // The message is empty where the other fields contradict it so much that nothing is sure.
        prop_assert_eq!(&result.cards[0].fields[&FieldName::IdentityNo].text, &number);
        prop_assert_eq!(&result.cards[0].fields[&FieldName::IdentityNo].raw, &None);
    }

    #[test]
    fn corrects_to_candidates_only(
        number in number(),
        swaps in prop::collection::vec((0..18_usize, character(), 0.05_f32..0.95), 1..4),
        birth in read_field(),
    ) {
        let mut field = sure(&number, 0.99, &['1', '7']);
        for (at, character, probability) in swaps {
            let candidates = &mut field.chars[at].candidates;
            candidates.insert(0, Candidate { character, probability });
            candidates.sort_by(|one, other| other.probability.total_cmp(&one.probability));
            field.confidence *= candidates[0].probability;
        }
        let card = front([(FieldName::IdentityNo, field.clone()), (FieldName::BirthDate, birth)]);
        let text = result(vec![card]).message["identityNo"].clone();
        if text != field.text() && text.chars().count() == 18 && IdNumber::parse(&text, TODAY).is_ok() {
            let all = field.chars.iter().map(digits_of);
            let kept: Vec<Vec<char>> = all.filter(|digits| digits.iter().any(char::is_ascii_digit)).collect();
            prop_assume!(kept.len() == 18);
            for (character, allowed) in text.chars().zip(&kept) {
                prop_assert!(allowed.contains(&character));
            }
        }
    }

    #[test]
    fn always_corrects_a_single_doubtful_digit(number in number(), at in 0..18_usize, wrong in proptest::char::range('0', '9')) {
        let right = number.chars().nth(at).unwrap();
        prop_assume!(right != wrong);
        let mut field = sure(&number, 0.9999, &[]);
        field.chars[at].candidates = vec![
            Candidate { character: wrong, probability: 0.7 },
            Candidate { character: right, probability: 0.3 },
        ];
        field.confidence = 0.7;
        let result = result(vec![front([(FieldName::IdentityNo, field)])]);
        prop_assert_eq!(&result.message["identityNo"], &number);
        prop_assert!(result.findings.iter().any(|finding| finding.rule == Rule::ChecksumCorrected));
    }
}

#[test]
fn debug_masks_personal_data() {
    let values = [
        (FieldName::Name, "欧阳秋"),
        (FieldName::Gender, "女"),
        (FieldName::Ethnic, "士家"),
        (FieldName::BirthDate, "1993年3月3日"),
        (FieldName::Address, "浙江省龙游县某某镇某某村12号"),
        (FieldName::IdentityNo, "33O825199303034665"),
    ];
    let card = front(values.map(|(name, text)| (name, sure(text, 0.9, &['土', '5']))));
    let mut shown = format!("{card:?} {:?}", card.fields);
    let assessment = assess(vec![card], TODAY, &Policy::default());
    let texts: BTreeMap<String, String> = assessment.message.clone();
    shown += &format!("{assessment:?} {:#?}", assessment.cards);
    let result = result_of(assessment);
    shown += &format!("{result:?} {:?}", CardColumns::of(&result));
    for text in texts.values().map(String::as_str).chain(values.map(|(_, text)| text)) {
        assert!(!shown.contains(text), "a value is shown");
    }
    assert!(!shown.chars().any(|character| "欧阳秋士浙".contains(character)));
}

fn result_of(assessment: Assessment) -> PictureResult {
    let model = ModelInfo { name: "test".into(), version: "1".into(), sha256: "00".into() };
    assessment.into_result(model, Elapsed::default())
}
