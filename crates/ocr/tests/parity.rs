//! Every stage gives what the trainer's twin of it gave for the same input: the crop, the network by both engines, and the decoder.
//! `python -m shenfen_training.export` writes the files.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::sync::{Arc, LazyLock};

use exported::{Exported, error, models_folder, picture};
use image::RgbImage;
use shenfen_core::{FieldName, Quad, Side};
use shenfen_ocr::net::{DetectorNetwork, FeatureMap, Scratch, StripOutput};
use shenfen_ocr::stages::{Located, Stages, StripCharacter, TextLine};
use shenfen_ocr::{Device, Engine, Models};

mod exported;

/// Mean difference of a crop's pixels, in grey levels. OpenCV samples at 32nds of a pixel and the engine at 256ths, which costs up to
/// 0.05 on these crops; a shift by a pixel costs 2.7 or more.
const CROP_TOLERANCE: f64 = 0.2;
/// The int8 kernels' [`error`]. Rounding to bytes adds up layer by layer: it costs up to 0.068 here; a layer that is out of place
/// costs 1.
const QUANTISED_TOLERANCE: f32 = 0.085;
/// The reference engine's: it sums in another order than PyTorch.
const REFERENCE_TOLERANCE: f32 = 1e-5;
/// Pixels between what both decode from the trainer's output: single against double precision costs 0.0002.
const DECODER_TOLERANCE: f32 = 0.005;
/// Pixels between what is decoded from the int8 output for the engine's own crop and from the trainer's: up to 0.16.
const STAGE_TOLERANCE: f32 = 0.5;
/// The same where the card's corners are outside, and only its centre predicts them.
const CLOSE_TOLERANCE: f32 = 4.0;
/// Pixels of a strip per step: of two steps that are about as likely to be a character's centre, either may be the maximum.
const STEP: f32 = 4.0;

static QUANTISED: LazyLock<Arc<Models>> = LazyLock::new(|| models(Engine::Quantised));
static REFERENCE: LazyLock<Arc<Models>> = LazyLock::new(|| models(Engine::Reference(Device::Cpu)));

fn models(engine: Engine) -> Arc<Models> {
    Models::load_for(engine, &models_folder()).unwrap()
}

/// Both engines, and how far each may be off.
fn engines() -> [(&'static Models, f32); 2] {
    [(&QUANTISED, QUANTISED_TOLERANCE), (&REFERENCE, REFERENCE_TOLERANCE)]
}

fn stages() -> Stages<'static> {
    Stages(&QUANTISED)
}

/// The cards that the trainer decoded in a pass.
fn cards(exported: &Exported, pass: &str) -> Vec<Located> {
    let sides = exported.bytes(&format!("{pass}.sides")).iter();
    let confidences = exported.values(&format!("{pass}.confidences"));
    let quads = exported.quads(&format!("{pass}.quads"));
    let card = |((quad, &side), confidence): ((Quad, &u8), f32)| Located {
        quad,
        side: if side == 0 { Side::Front } else { Side::Back },
        confidence,
    };
    quads.into_iter().zip(sides).zip(confidences).map(card).collect()
}

fn mean_difference(ours: &[u8], expected: &[u8]) -> f64 {
    assert_eq!(ours.len(), expected.len());
    let sum: u64 = ours.iter().zip(expected).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / ours.len() as f64
}

/// Also makes sure that the crop would not pass shifted by a pixel of `channels` bytes.
fn assert_crops_agree(what: &str, ours: &[u8], expected: &[u8], channels: usize) {
    let off = mean_difference(ours, expected);
    assert!(off <= CROP_TOLERANCE, "{what}: crops differ by {off} grey levels");
    let shifted = mean_difference(&ours[channels..], &expected[..expected.len() - channels]);
    assert!(shifted > 10.0 * CROP_TOLERANCE, "{what}: shifted by a pixel, crops differ by only {shifted} grey levels");
}

fn assert_close(what: &str, ours: &[f32], expected: &[f32], tolerance: f32) {
    let off = error(ours, expected);
    assert!(off <= tolerance, "{what}: off by {off} standard deviations");
}

/// The detector's output by both engines.
fn assert_detector_agrees(
    what: &str,
    of: fn(&Models) -> &dyn DetectorNetwork,
    input: &FeatureMap,
    expected: &FeatureMap,
) {
    for (models, tolerance) in engines() {
        let output = of(models).forward(input, &Scratch::default()).unwrap();
        assert_close(what, output.values(), expected.values(), tolerance);
    }
}

fn assert_near(what: &str, ours: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let off = ours.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off <= tolerance, "{what}: {off} apart, {ours:?} instead of {expected:?}");
}

fn assert_cards_agree(what: &str, ours: &[Located], expected: &[Located], tolerance: f32) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    for (ours, expected) in ours.iter().zip(expected) {
        assert_eq!(ours.side, expected.side, "{what}");
        assert_near(what, &[ours.confidence], &[expected.confidence], 0.02);
        assert_near(what, ours.quad.as_flattened(), expected.quad.as_flattened(), tolerance);
    }
}

fn check_locator_pass(pass: &str, ours: &RgbImage, tolerance: f32) {
    let exported = Exported::of("locator");
    let (crop, output) = (format!("{pass}.crop"), exported.map(&format!("{pass}.output")));
    assert_crops_agree(pass, ours.as_raw(), exported.bytes(&crop), 3);
    let input = stages().locator_input(&exported.rgb(&crop)).unwrap();
    assert_detector_agrees(pass, Models::locator, &input, &output);
    let cards = cards(&exported, pass);
    assert_cards_agree(pass, &stages().decode_cards(output), &cards, DECODER_TOLERANCE);
    let own = QUANTISED.locator().forward(&stages().locator_input(ours).unwrap(), &Scratch::default()).unwrap();
    assert_cards_agree(pass, &stages().decode_cards(own), &cards, tolerance);
}

#[test]
fn coarse_pass_agrees_with_trainer() {
    check_locator_pass("coarse", &stages().coarse_crop(&picture()), STAGE_TOLERANCE);
}

fn check_refinement_pass(pass: &str, tolerance: f32) {
    let rough = Exported::of("locator").quads(&format!("{pass}.rough"))[0];
    check_locator_pass(pass, &stages().refinement_crop(&picture(), &rough).unwrap(), tolerance);
}

#[test]
fn refinement_pass_agrees_with_trainer() {
    check_refinement_pass("refinement", STAGE_TOLERANCE);
}

#[test]
fn refinement_pass_without_the_card_corners_agrees_with_trainer() {
    check_refinement_pass("close", CLOSE_TOLERANCE);
}

/// The fields in the order of the exported numbers.
const FIELDS: [FieldName; 8] = [
    FieldName::Name,
    FieldName::Gender,
    FieldName::Ethnic,
    FieldName::BirthDate,
    FieldName::Address,
    FieldName::IdentityNo,
    FieldName::Authority,
    FieldName::EffectiveDate,
];

fn assert_lines_agree(ours: &[TextLine], exported: &Exported, tolerance: f32) {
    let fields: Vec<FieldName> = exported.bytes("fields").iter().map(|&field| FIELDS[usize::from(field)]).collect();
    assert_eq!(ours.iter().map(|line| line.field).collect::<Vec<_>>(), fields);
    let numbers = |line: &TextLine| [line.start[0], line.start[1], line.end[0], line.end[1], line.em];
    let ours: Vec<f32> = ours.iter().flat_map(numbers).collect();
    assert_near("lines", &ours, &exported.values("lines"), tolerance);
}

#[test]
fn line_detector_agrees_with_trainer() {
    let exported = Exported::of("lines");
    let ours = stages().card_crop(&picture(), &exported.quads("quad")[0]).unwrap();
    assert_crops_agree("card", ours.as_raw(), exported.bytes("crop"), 1);
    let input = stages().lines_input(&exported.grey("crop")).unwrap();
    assert_detector_agrees("lines", Models::line_detector, &input, &exported.map("output"));
    let decoded = stages().decode_lines(exported.map("output"), Side::Front);
    assert_lines_agree(&decoded, &exported, DECODER_TOLERANCE);
    let own = QUANTISED.line_detector().forward(&stages().lines_input(&ours).unwrap(), &Scratch::default()).unwrap();
    assert_lines_agree(&stages().decode_lines(own, Side::Front), &exported, STAGE_TOLERANCE);
}

/// The exported characters of a strip.
fn characters(exported: &Exported, field: &str) -> Vec<StripCharacter> {
    let charset = std::fs::read_to_string(models_folder().join("recogniser/charset.txt")).unwrap();
    let charset: Vec<char> = charset.lines().filter_map(|line| line.chars().next()).collect();
    let [positions, probabilities] =
        ["positions", "probabilities"].map(|part| exported.values(&format!("{field}.{part}")));
    let classes = exported.indices(&format!("{field}.classes"));
    let all = positions.into_iter().zip(classes).zip(probabilities);
    all.map(|((position, class), probability)| StripCharacter { position, character: charset[class], probability })
        .collect()
}

/// `tolerance` is that of positions, in pixels of the strip.
fn assert_characters_agree(what: &str, ours: &[StripCharacter], expected: &[StripCharacter], tolerance: f32) {
    let text = |all: &[StripCharacter]| all.iter().map(|one| one.character).collect::<String>();
    assert_eq!(text(ours), text(expected), "{what}");
    let [positions, expected_positions] =
        [ours, expected].map(|all| all.iter().map(|one| one.position).collect::<Vec<_>>());
    assert_near(what, &positions, &expected_positions, tolerance);
    let [sure, expected_sure] = [ours, expected].map(|all| all.iter().map(|one| one.probability).collect::<Vec<_>>());
    assert_near(what, &sure, &expected_sure, 0.05);
}

fn check_strip(field: &str, name: FieldName) {
    let exported = Exported::of("recogniser");
    let part = |part: &str| format!("{field}.{part}");
    let [x0, y0, x1, y1, em] = exported.values(&part("line"))[..] else { panic!("five numbers of a line") };
    let line = TextLine { field: name, start: [x0, y0], end: [x1, y1], em, weight: 1.0 };
    let ours = stages().strip_crop(&picture(), &exported.quads("quad")[0], &line).unwrap();
    assert_crops_agree(field, ours.as_raw(), exported.bytes(&part("crop")), 1);

    let input = stages().strip_input(&exported.grey(&part("crop"))).unwrap();
    let (channels, characters) = (exported.values(&part("channels")), characters(&exported, field));
    for (models, tolerance) in engines() {
        let output = models.recogniser().forward(&input, &Scratch::default()).unwrap();
        assert_close(field, &output.channels, &channels, tolerance);
        check_logits(field, models, &output, &characters, &exported.values(&part("logits")), tolerance);
        let given = StripOutput { features: output.features, channels: channels.clone() };
        let read = Stages(models).decode_characters(&given).unwrap();
        assert_characters_agree(field, &read, &characters, DECODER_TOLERANCE);
    }
    let input = stages().strip_input(&ours).unwrap();
    let own = QUANTISED.recogniser().forward(&input, &Scratch::default()).unwrap();
    assert_characters_agree(field, &stages().decode_characters(&own).unwrap(), &characters, STEP);
}

/// The logits of the first characters: all of them as the engine computes them at first, and the best one exactly.
fn check_logits(
    field: &str,
    models: &Models,
    output: &StripOutput,
    characters: &[StripCharacter],
    expected: &[f32],
    tolerance: f32,
) {
    let (recogniser, width) = (models.recogniser(), models.recogniser().width());
    let count = expected.len() / recogniser.classes();
    let steps = characters.iter().take(count).map(|character| (character.position / STEP) as usize);
    let features: Vec<f32> = steps.flat_map(|step| output.features[step * width..][..width].to_vec()).collect();
    let mut logits = Vec::new();
    recogniser.classify(&features, &Scratch::default(), &mut logits).unwrap();
    assert_close(field, &logits, expected, tolerance);

    let rows = features.chunks(width).zip(logits.chunks_mut(recogniser.classes()));
    for ((features, logits), expected) in rows.zip(expected.chunks(recogniser.classes())) {
        let best = (0..expected.len()).max_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap();
        recogniser.refine(features, &[best], logits);
        let off = (logits[best] - expected[best]).abs();
        assert!(off < 0.05 * expected[best].abs().max(4.0), "{field}: the best logit is off by {off}");
    }
}

#[test]
fn recogniser_agrees_with_trainer_on_a_name() {
    check_strip("name", FieldName::Name);
}

#[test]
fn recogniser_agrees_with_trainer_on_a_number() {
    check_strip("identityNo", FieldName::IdentityNo);
}

#[test]
fn recogniser_agrees_with_trainer_on_an_address() {
    check_strip("birthPlace", FieldName::Address);
}
