use proptest::prelude::*;

use super::*;

fn line(start: [f32; 2], end: [f32; 2], em: f32) -> TextLine {
    TextLine { field: FieldName::Name, start, end, em, weight: 1.0 }
}

#[test]
fn a_strip_has_its_line_in_the_middle_and_room_around() {
    let same = Homography::scale_and_move(1.0, [0.0, 0.0]);
    let strip = strip(&line([100.0, 50.0], [200.0, 50.0], 25.6), &same);
    assert_eq!((strip.frame.width, strip.frame.height), (128, 32));
    let [x, y] = strip.frame.to_picture.map([0.4 * 25.6, 16.0]);
    assert!((x - 100.0).abs() < 1e-3 && (y - 50.0).abs() < 1e-3);
    assert!((strip.frame.to_picture.stretch_at([10.0, 10.0]) - 1.0).abs() < 1e-3);
}

#[test]
fn a_slanted_strip_follows_its_line() {
    let same = Homography::scale_and_move(1.0, [0.0, 0.0]);
    let text = line([100.0, 50.0], [180.0, 110.0], 12.8);
    let strip = strip(&text, &same);
    // Two strip pixels per frame pixel.
    let [x, y] = strip.frame.to_picture.map([0.4 * 25.6 + 200.0, 16.0]);
    assert!((x - 180.0).abs() < 1e-2 && (y - 110.0).abs() < 1e-2);
}

#[test]
fn strips_are_never_narrower_or_wider_than_the_network_takes() {
    let same = Homography::scale_and_move(1.0, [0.0, 0.0]);
    assert_eq!(strip(&line([0.0, 0.0], [1.0, 0.0], 200.0), &same).frame.width, 24);
    let squeezed = strip(&line([0.0, 0.0], [5000.0, 0.0], 25.6), &same);
    assert_eq!(squeezed.frame.width, 1024);
    let [x, _] = squeezed.frame.to_picture.map([1024.0, 16.0]);
    assert!((x - (5000.0 + 0.4 * 25.6)).abs() < 1.0, "the end of a squeezed line is still in the strip");
}

#[test]
fn an_even_strip_keeps_its_noise_small() {
    let striped =
        |dark: u8, bright: u8| GrayImage::from_fn(40, 8, |x, _| image::Luma([[dark, bright][x as usize % 2]]));
    assert!(spread(&striped(100, 101)).iter().all(|value| value.abs() < 0.1));
    assert!(spread(&striped(0, 100)).iter().all(|value| (value.abs() - 1.0).abs() < 1e-3));
}

#[test]
fn a_plateau_is_one_peak_at_its_right_end() {
    let found: Vec<usize> = peaks(&[-1.0, 2.0, 2.0, 0.0, 1.0, -1.0, 0.5]).map(|(step, _)| step).collect();
    assert_eq!(found, [2, 4, 6]);
    assert_eq!(peaks(&[]).count(), 0);
}

#[test]
fn the_identity_calibration_changes_nothing_and_a_bias_moves_the_middle() {
    for p in [0.01, 0.3, 0.5, 0.97] {
        assert!((calibrated(p, Calibration::default()) - p).abs() < 1e-5);
    }
    let shifted = calibrated(0.5, Calibration { scale: 1.0, bias: -1.0 });
    assert!((shifted - 0.2689).abs() < 1e-3);
    assert!(calibrated(0.0, Calibration::default()) < 1e-5);
}

proptest! {
    #[test]
    fn candidates_are_the_best_of_a_softmax(logits in prop::collection::vec(-30.0_f32..30.0, 1..200), temperature in 0.5_f32..3.0) {
        let charset: Vec<char> = (0..logits.len() as u32).map(|i| char::from_u32(0x4E00 + i).unwrap()).collect();
        let found = candidates(&logits, shortlist(&logits), temperature, &charset);
        prop_assert_eq!(found.len(), logits.len().min(CANDIDATES));
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        let exact: Vec<f64> = logits.iter().map(|&logit| f64::from(logit / temperature).exp()).collect();
        let total: f64 = exact.iter().sum();
        for (candidate, &class) in found.iter().zip(&order) {
            prop_assert_eq!(logits[charset.iter().position(|&c| c == candidate.character).unwrap()], logits[class]);
            prop_assert!((f64::from(candidate.probability) - exact[class] / total).abs() < 1e-4);
        }
    }
}
