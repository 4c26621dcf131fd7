use super::*;

const CHANNELS: usize = 16;

/// A map where every cell is sure that there is nothing.
fn empty(width: usize, height: usize) -> FeatureMap {
    let mut cell = [0.0; CHANNELS];
    cell[0] = -10.0;
    cell[10..14].fill(-10.0);
    FeatureMap { values: cell.repeat(width * height), height, width, channels: CHANNELS }
}

/// Makes a cell see a card.
fn put(map: &mut FeatureMap, [x, y]: [usize; 2], centre: f32, side: f32, quad: &Quad) {
    let middle = [(x as f32 + 0.5) * STRIDE, (y as f32 + 0.5) * STRIDE];
    let cell = &mut map.values[(y * map.width + x) * CHANNELS..][..CHANNELS];
    cell[0] = centre;
    cell[1] = side;
    for i in 0..4 {
        cell[2 + 2 * i] = (quad[i][0] - middle[0]) / OFFSET_UNIT;
        cell[3 + 2 * i] = (quad[i][1] - middle[1]) / OFFSET_UNIT;
    }
}

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
fn peak_corners_are_weighted_mean_of_confident_neighbours() {
    let mut map = empty(32, 24);
    put(&mut map, [10, 10], 2.0, 1.0, &rectangle(40.0, 50.0, 130.0, 110.0));
    put(&mut map, [11, 10], 2.0 - 1e-3, 1.0, &rectangle(42.0, 50.0, 132.0, 110.0));
    // Less than half as sure: does not count.
    put(&mut map, [10, 11], -1.0, -50.0, &rectangle(0.0, 0.0, 1.0, 1.0));
    let found = decode(&map, 0.5);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].side, Side::Back);
    for (corner, expected) in found[0].quad.iter().zip(&rectangle(41.0, 50.0, 131.0, 110.0)) {
        assert!((corner[0] - expected[0]).abs() < 0.01 && (corner[1] - expected[1]).abs() < 0.01);
    }
}

/// Makes a cell see a corner beside it.
fn put_corner(map: &mut FeatureMap, [x, y]: [usize; 2], corner: usize, logit: f32, place: Point) {
    let cell = &mut map.values[(y * map.width + x) * CHANNELS..][..CHANNELS];
    cell[10 + corner] = logit;
    cell[14] = place[0] / STRIDE - x as f32 - 0.5;
    cell[15] = place[1] / STRIDE - y as f32 - 0.5;
}

#[test]
fn refines_corner_from_confident_cells_within_reach() {
    let mut map = empty(32, 24);
    let rough = rectangle(40.0, 50.0, 140.0, 113.0);
    put(&mut map, [11, 10], 2.0, -1.0, &rough);
    // The upper left corner by two cells that agree on average; the upper right one is not sure; the lower right one is
    // far away; the lower left one sees nothing.
    put_corner(&mut map, [5, 6], 0, 3.0, [43.0, 52.0]);
    put_corner(&mut map, [5, 7], 0, 3.0, [45.0, 54.0]);
    put_corner(&mut map, [17, 6], 1, -1.5, [150.0, 50.0]);
    put_corner(&mut map, [25, 20], 2, 5.0, [201.0, 160.0]);
    let found = decode(&map, 0.5);
    let expected = [[44.0, 53.0], rough[1], rough[2], rough[3]];
    for (corner, expected) in found[0].quad.iter().zip(&expected) {
        assert!((corner[0] - expected[0]).abs() < 0.01 && (corner[1] - expected[1]).abs() < 0.01, "{corner:?}");
    }
}

#[test]
fn plateau_gives_one_peak_and_weak_cells_give_none() {
    let mut map = empty(16, 16);
    let quad = rectangle(10.0, 10.0, 100.0, 66.0);
    for cell in [[4, 4], [5, 4], [4, 5], [5, 5]] {
        put(&mut map, cell, 1.0, -1.0, &quad);
    }
    assert_eq!(decode(&map, 0.5).len(), 1);
    assert_eq!(decode(&map, 0.8).len(), 0);
}

#[test]
fn keeps_the_more_confident_of_overlapping_cards() {
    let weaker = Located { confidence: 0.6, ..card(10.0, 5.0) };
    let apart = Located { confidence: 0.5, ..card(300.0, 5.0) };
    let kept = suppress_duplicates(vec![weaker, card(0.0, 0.0), apart], 8);
    assert_eq!(kept, [card(0.0, 0.0), apart]);
    assert_eq!(suppress_duplicates(vec![weaker, card(0.0, 0.0), apart], 1), [card(0.0, 0.0)]);
}

#[test]
fn drops_degenerate_and_tiny_quads() {
    let crossed = Located { quad: [[0.0, 0.0], [100.0, 100.0], [100.0, 0.0], [0.0, 100.0]], ..card(0.0, 0.0) };
    let tiny = Located { quad: rectangle(0.0, 0.0, 30.0, 19.0), ..card(0.0, 0.0) };
    let nowhere = Located { quad: [[f32::NAN; 2]; 4], ..card(0.0, 0.0) };
    assert_eq!(suppress_duplicates(vec![crossed, tiny, nowhere], 8), []);
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
