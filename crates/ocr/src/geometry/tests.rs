use proptest::prelude::*;

use super::*;

const SQUARE: Quad = rectangle(0.0, 0.0, 100.0, 100.0);

/// A convex quad: a turned, scaled and moved rectangle with every corner moved by up to a fifth of its side.
fn convex_quad() -> impl Strategy<Value = Quad> {
    let corners = prop::array::uniform8(-0.2_f32..0.2);
    (0.0_f32..std::f32::consts::TAU, 20.0_f32..2000.0, -500.0_f32..5000.0, -500.0_f32..5000.0, corners).prop_map(
        |(angle, size, x, y, moves)| {
            let unit = rectangle(0.0, 0.0, 1.6, 1.0);
            std::array::from_fn(|i| {
                let [u, v] = [unit[i][0] + moves[2 * i], unit[i][1] + moves[2 * i + 1]];
                [x + size * (u * angle.cos() - v * angle.sin()), y + size * (u * angle.sin() + v * angle.cos())]
            })
        },
    )
}

proptest! {
    #[test]
    fn homography_maps_corners_to_corners(source in convex_quad(), target in convex_quad()) {
        let map = Homography::between(&source, &target).unwrap();
        for (from, to) in source.iter().zip(&target) {
            prop_assert!(distance(map.map(*from), *to) < 0.01, "{:?} instead of {to:?}", map.map(*from));
        }
    }

    #[test]
    fn inverse_maps_back(source in convex_quad(), target in convex_quad(), u in 0.1_f32..0.9, v in 0.1_f32..0.9) {
        let map = Homography::between(&source, &target).unwrap();
        let inside = Homography::between(&rectangle(0.0, 0.0, 1.0, 1.0), &source).unwrap().map([u, v]);
        prop_assert!(distance(map.inverse().map(map.map(inside)), inside) < 0.05);
    }

    #[test]
    fn composition_equals_successive_application(source in convex_quad(), target in convex_quad(), u in 0.0_f32..1.0, v in 0.0_f32..1.0) {
        let first = Homography::between(&SQUARE, &source).unwrap();
        let second = Homography::between(&source, &target).unwrap();
        let point = [u * 100.0, v * 100.0];
        prop_assert!(distance(second.after(&first).map(point), second.map(first.map(point))) < 0.05);
    }

    #[test]
    fn overlap_is_symmetric_and_within_zero_and_one(a in convex_quad(), b in convex_quad()) {
        let (ab, ba) = (overlap(&a, &b), overlap(&b, &a));
        prop_assert!((-1e-3..=1.001).contains(&ab));
        prop_assert!((ab - ba).abs() < 1e-2);
        prop_assert!((overlap(&a, &a) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn rotated_quad_contains_its_middle_and_keeps_its_area(quad in convex_quad()) {
        prop_assert!(is_convex(&quad));
        prop_assert!(contains(&quad, middle(&quad)));
        prop_assert!((area(&quad) - area(&rotated_180(&quad))).abs() < 1e-2 * area(&quad));
    }
}

#[test]
fn rotation_follows_the_upper_edge() {
    let mut quad = rectangle(0.0, 0.0, 85.6, 54.0);
    let turns = [Rotation::Deg0, Rotation::Deg90, Rotation::Deg180, Rotation::Deg270];
    for expected in turns {
        assert_eq!(rotation(&quad), expected);
        // Clockwise on the screen: right becomes down.
        quad = quad.map(|[x, y]| [-y, x]);
    }
}

#[test]
fn half_of_a_square_has_an_iou_of_one_third() {
    let shifted = rectangle(50.0, 0.0, 150.0, 100.0);
    assert!((overlap(&SQUARE, &shifted) - 1.0 / 3.0).abs() < 1e-5);
    assert_eq!(overlap(&SQUARE, &rectangle(200.0, 0.0, 300.0, 100.0)), 0.0);
}

#[test]
fn rejects_concave_crossed_flat_and_infinite_quads() {
    let bent = [[0.0, 0.0], [100.0, 0.0], [20.0, 20.0], [0.0, 100.0]];
    let crossed = [[0.0, 0.0], [100.0, 100.0], [100.0, 0.0], [0.0, 100.0]];
    let flat = [[0.0, 0.0], [50.0, 0.0], [100.0, 0.0], [150.0, 0.0]];
    let counter_clockwise = [[0.0, 0.0], [0.0, 100.0], [100.0, 100.0], [100.0, 0.0]];
    let infinite = [[0.0, 0.0], [f32::INFINITY, 0.0], [100.0, 100.0], [0.0, 100.0]];
    let nothing = [[f32::NAN; 2]; 4];
    for quad in [bent, crossed, flat, counter_clockwise, infinite, nothing, [[7.0, 7.0]; 4]] {
        assert!(Homography::between(&quad, &SQUARE).is_none(), "{quad:?}");
        assert!(Homography::between(&SQUARE, &quad).is_none(), "{quad:?}");
    }
}

#[test]
fn stretch_of_a_scaling_is_its_factor() {
    let map = Homography::scale_and_move(2.5, [7.0, -3.0]);
    assert!((map.stretch_at([10.0, 20.0]) - 2.5).abs() < 1e-4);
}
