use super::*;
use crate::contract::shipped;
use crate::geometry::rectangle;

fn card(left: f32, top: f32) -> Located {
    let quad = rectangle(left, top, left + 80.0, top + 50.0);
    Located { quad, side: Side::Front, confidence: 0.9 }
}

#[test]
fn averages_corners_of_augmentation_crops_that_agree() {
    let found = average_corners(card(10.0, 20.0), &[card(13.0, 20.0), card(10.0, 23.0), card(60.0, 20.0)]);
    assert_eq!(found.quad, card(11.0, 21.0).quad);
    assert_eq!(average_corners(card(10.0, 20.0), &[]), card(10.0, 20.0));
    assert_eq!(enlarged(&rectangle(10.0, 10.0, 30.0, 20.0), 1.1), rectangle(9.0, 9.5, 31.0, 20.5));
}

#[test]
fn keeps_the_more_confident_of_overlapping_cards() {
    let weaker = Located { confidence: 0.6, ..card(10.0, 5.0) };
    let apart = Located { confidence: 0.5, ..card(300.0, 5.0) };
    let kept = suppress_duplicates(vec![weaker, card(0.0, 0.0), apart], &shipped(), 8);
    assert_eq!(kept, [card(0.0, 0.0), apart]);
    assert_eq!(suppress_duplicates(vec![weaker, card(0.0, 0.0), apart], &shipped(), 1), [card(0.0, 0.0)]);
}

#[test]
fn drops_degenerate_and_tiny_quads() {
    let crossed = Located { quad: [[0.0, 0.0], [100.0, 100.0], [100.0, 0.0], [0.0, 100.0]], ..card(0.0, 0.0) };
    let tiny = Located { quad: rectangle(0.0, 0.0, 30.0, 19.0), ..card(0.0, 0.0) };
    let nowhere = Located { quad: [[f32::NAN; 2]; 4], ..card(0.0, 0.0) };
    assert_eq!(suppress_duplicates(vec![crossed, tiny, nowhere], &shipped(), 8), []);
}

#[test]
fn orders_cards_by_row_then_left_to_right() {
    // The right one of the upper row stands a little higher than the left one.
    let mut cards = [card(0.0, 120.0), card(100.0, 0.0), card(0.0, 15.0), card(100.0, 130.0)];
    in_reading_order(&mut cards);
    assert_eq!(cards, [card(0.0, 15.0), card(100.0, 0.0), card(0.0, 120.0), card(100.0, 130.0)]);
}

#[test]
fn tiles_cover_the_picture_and_overlap() {
    assert_eq!(tiles([1000.0, 500.0], 600.0), [[0.0, -50.0, 600.0], [400.0, -50.0, 600.0]]);
    assert_eq!(tiles([900.0, 1000.0], 600.0).len(), 4);
    assert_eq!(tiles([900.0, 1000.0], 600.0)[3], [300.0, 400.0, 600.0]);
    let long = tiles([300.0, 1000.0], 300.0);
    assert_eq!(long.len(), 4);
    assert_eq!((long[0], long[3]), ([0.0, 0.0, 300.0], [0.0, 700.0, 300.0]));
}
