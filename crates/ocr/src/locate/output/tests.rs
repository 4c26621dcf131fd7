use super::*;
use crate::contract::shipped;
use crate::geometry::rectangle;

const CHANNELS: usize = 16;
const STRIDE: f32 = 8.0;
const OFFSET_UNIT: f32 = 64.0;

/// An output that has no card anywhere.
fn empty(config: &LocatorConfig, width: usize, height: usize) -> Output<'_> {
    let mut cell = [0.0; CHANNELS];
    cell[0] = -10.0;
    cell[10..14].fill(-10.0);
    Output { config, values: cell.repeat(width * height), height, width }
}

/// Puts a card's centre at a cell.
fn put(map: &mut Output, [x, y]: [usize; 2], centre: f32, side: f32, quad: &Quad) {
    let middle = [(x as f32 + 0.5) * STRIDE, (y as f32 + 0.5) * STRIDE];
    let cell = &mut map.values[(y * map.width + x) * CHANNELS..][..CHANNELS];
    cell[0] = centre;
    cell[1] = side;
    for i in 0..4 {
        cell[2 + 2 * i] = (quad[i][0] - middle[0]) / OFFSET_UNIT;
        cell[3 + 2 * i] = (quad[i][1] - middle[1]) / OFFSET_UNIT;
    }
}

#[test]
fn peak_corners_are_weighted_mean_of_confident_neighbours() {
    let config = shipped::<LocatorConfig>();
    let mut map = empty(&config, 32, 24);
    put(&mut map, [10, 10], 2.0, 1.0, &rectangle(40.0, 50.0, 130.0, 110.0));
    put(&mut map, [11, 10], 2.0 - 1e-3, 1.0, &rectangle(42.0, 50.0, 132.0, 110.0));
    // Less than half as sure: does not count.
    put(&mut map, [10, 11], -1.0, -50.0, &rectangle(0.0, 0.0, 1.0, 1.0));
    let found = map.decode(0.5);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].side, Side::Back);
    for (corner, expected) in found[0].quad.iter().zip(&rectangle(41.0, 50.0, 131.0, 110.0)) {
        assert!((corner[0] - expected[0]).abs() < 0.01 && (corner[1] - expected[1]).abs() < 0.01);
    }
}

/// Puts a corner near a cell.
fn put_corner(map: &mut Output, [x, y]: [usize; 2], corner: usize, logit: f32, place: Point) {
    let cell = &mut map.values[(y * map.width + x) * CHANNELS..][..CHANNELS];
    cell[10 + corner] = logit;
    cell[14] = place[0] / STRIDE - x as f32 - 0.5;
    cell[15] = place[1] / STRIDE - y as f32 - 0.5;
}

#[test]
fn refines_corner_from_confident_cells_within_reach() {
    let config = shipped::<LocatorConfig>();
    let mut map = empty(&config, 32, 24);
    let rough = rectangle(40.0, 50.0, 140.0, 113.0);
    put(&mut map, [11, 10], 2.0, -1.0, &rough);
    // The upper left corner by two cells that agree on average; the upper right one is not sure; the lower right one is
    // far away; the lower left one sees nothing.
    put_corner(&mut map, [5, 6], 0, 3.0, [43.0, 52.0]);
    put_corner(&mut map, [5, 7], 0, 3.0, [45.0, 54.0]);
    put_corner(&mut map, [17, 6], 1, -1.5, [150.0, 50.0]);
    put_corner(&mut map, [25, 20], 2, 5.0, [201.0, 160.0]);
    let found = map.decode(0.5);
    let expected = [[44.0, 53.0], rough[1], rough[2], rough[3]];
    for (corner, expected) in found[0].quad.iter().zip(&expected) {
        assert!((corner[0] - expected[0]).abs() < 0.01 && (corner[1] - expected[1]).abs() < 0.01, "{corner:?}");
    }
}

#[test]
fn plateau_gives_one_peak_and_weak_cells_give_none() {
    let config = shipped::<LocatorConfig>();
    let mut map = empty(&config, 16, 16);
    let quad = rectangle(10.0, 10.0, 100.0, 66.0);
    for cell in [[4, 4], [5, 4], [4, 5], [5, 5]] {
        put(&mut map, cell, 1.0, -1.0, &quad);
    }
    assert_eq!(map.decode(0.5).len(), 1);
    assert_eq!(map.decode(0.8).len(), 0);
}
