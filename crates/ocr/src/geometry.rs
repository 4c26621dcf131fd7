//! Points, quads and homographies in continuous pixel coordinates: pixel i covers [i, i + 1], its middle is i + 0.5.

use shenfen_core::{Point, Quad, Rotation};

/// A projective map of the plane. Always invertible: the constructors refuse anything else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homography([[f64; 3]; 3]);

impl Homography {
    /// The map that takes the corners of `source` to those of `target`; `None` unless both are convex.
    pub fn between(source: &Quad, target: &Quad) -> Option<Homography> {
        if !is_convex(source) || !is_convex(target) {
            return None;
        }
        Some(Homography::from_unit_square(target).after(&Homography::from_unit_square(source).inverse()))
    }

    /// Scales by `factor` and then moves by `shift`.
    pub fn scale_and_move(factor: f64, shift: [f64; 2]) -> Homography {
        debug_assert!(factor != 0.0, "a map onto a point has no inverse");
        Homography([[factor, 0.0, shift[0]], [0.0, factor, shift[1]], [0.0, 0.0, 1.0]])
    }

    /// The affine map that takes (0, 0) to `origin`, (1, 0) to `origin + right` and (0, 1) to `origin + down`.
    pub fn affine(origin: [f64; 2], right: [f64; 2], down: [f64; 2]) -> Homography {
        Homography([[right[0], down[0], origin[0]], [right[1], down[1], origin[1]], [0.0, 0.0, 1.0]])
    }

    /// `self` applied to what `first` gives.
    pub fn after(&self, first: &Homography) -> Homography {
        let product = |row: usize, column: usize| (0..3).map(|k| self.0[row][k] * first.0[k][column]).sum();
        Homography(std::array::from_fn(|row| std::array::from_fn(|column| product(row, column)))).normalised()
    }

    /// The map back.
    pub fn inverse(&self) -> Homography {
        let m = &self.0;
        let minor = |r: usize, c: usize| {
            let (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
            m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
        };
        // The adjugate: a homography is defined up to scale, so the determinant is not needed.
        Homography(std::array::from_fn(|row| std::array::from_fn(|column| minor(column, row)))).normalised()
    }

    /// Where a point goes.
    pub fn map(&self, point: Point) -> Point {
        let [x, y] = point.map(f64::from);
        let [u, v, w] = self.0.map(|row| row[0] * x + row[1] * y + row[2]);
        [(u / w) as f32, (v / w) as f32]
    }

    /// Where the four corners go.
    pub fn map_quad(&self, quad: &Quad) -> Quad {
        quad.map(|corner| self.map(corner))
    }

    /// The rows of the matrix, scaled so that the largest entry is 1.
    pub fn rows(&self) -> [[f64; 3]; 3] {
        self.0
    }

    /// How many units of the target a unit step at `point` covers, in the direction where it covers more.
    pub fn stretch_at(&self, point: Point) -> f32 {
        let here = self.map(point);
        let right = self.map([point[0] + 1.0, point[1]]);
        let below = self.map([point[0], point[1] + 1.0]);
        distance(here, right).max(distance(here, below))
    }

    /// Unit square to quad, after Heckbert (1989), "Fundamentals of texture mapping and image warping", section 2.2.3.
    fn from_unit_square(quad: &Quad) -> Homography {
        let [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = quad.map(|corner| corner.map(f64::from));
        let (dx1, dx2, sx) = (x1 - x2, x3 - x2, x0 - x1 + x2 - x3);
        let (dy1, dy2, sy) = (y1 - y2, y3 - y2, y0 - y1 + y2 - y3);
        let determinant = dx1 * dy2 - dx2 * dy1;
        let g = (sx * dy2 - dx2 * sy) / determinant;
        let h = (dx1 * sy - sx * dy1) / determinant;
        Homography([[x1 - x0 + g * x1, x3 - x0 + h * x3, x0], [y1 - y0 + g * y1, y3 - y0 + h * y3, y0], [g, h, 1.0]])
    }

    fn normalised(self) -> Homography {
        let largest = self.0.iter().flatten().fold(0.0_f64, |most, entry| most.max(entry.abs()));
        Homography(self.0.map(|row| row.map(|entry| entry / largest)))
    }
}

/// The distance of two points.
pub fn distance(a: Point, b: Point) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// The middle of a quad's corners.
pub fn middle(quad: &Quad) -> Point {
    let sum = quad.iter().fold([0.0, 0.0], |sum, corner| [sum[0] + corner[0], sum[1] + corner[1]]);
    [sum[0] / 4.0, sum[1] / 4.0]
}

/// The mean width and the mean height of a quad.
pub fn side_lengths(quad: &Quad) -> [f32; 2] {
    let side = |from: usize| distance(quad[from], quad[(from + 1) % 4]);
    [(side(0) + side(2)) / 2.0, (side(1) + side(3)) / 2.0]
}

/// A rectangle as a quad.
pub const fn rectangle(left: f32, top: f32, right: f32, bottom: f32) -> Quad {
    [[left, top], [right, top], [right, bottom], [left, bottom]]
}

/// The same quad from the opposite corner: a card turned by 180 degrees.
pub fn rotated_180(quad: &Quad) -> Quad {
    [quad[2], quad[3], quad[0], quad[1]]
}

/// Whether the corners go clockwise (y down) and every one of them bends inwards by more than rounding.
pub fn is_convex(quad: &Quad) -> bool {
    let longest = (0..4).map(|i| distance(quad[i], quad[(i + 1) % 4])).fold(0.0, f32::max);
    let bends = |i: usize| cross(quad[i], quad[(i + 1) % 4], quad[(i + 2) % 4]) > 1e-4 * longest * longest;
    longest.is_finite() && longest > 0.0 && (0..4).all(bends)
}

/// Whether a point lies in a convex quad.
pub fn contains(quad: &Quad, point: Point) -> bool {
    (0..4).all(|i| cross(quad[i], quad[(i + 1) % 4], point) >= 0.0)
}

/// The area of a polygon, positive when it runs clockwise (y down).
pub fn area(polygon: &[Point]) -> f32 {
    let Some(&origin) = polygon.first() else { return 0.0 };
    polygon.windows(2).map(|pair| cross(origin, pair[0], pair[1])).sum::<f32>() / 2.0
}

/// The area that two convex quads share, as a part of what either covers.
pub fn overlap(a: &Quad, b: &Quad) -> f32 {
    let shared = area(&intersection(a, b));
    let either = area(a) + area(b) - shared;
    if either > 0.0 { shared / either } else { 0.0 }
}

/// The polygon that two convex quads share (Sutherland and Hodgman 1974).
pub fn intersection(a: &Quad, b: &Quad) -> Vec<Point> {
    let mut polygon = a.to_vec();
    for i in 0..4 {
        let (from, to) = (b[i], b[(i + 1) % 4]);
        let mut inside = Vec::with_capacity(polygon.len() + 1);
        for (k, &point) in polygon.iter().enumerate() {
            let next = polygon[(k + 1) % polygon.len()];
            let (here, there) = (cross(from, to, point), cross(from, to, next));
            if here >= 0.0 {
                inside.push(point);
            }
            if (here >= 0.0) != (there >= 0.0) {
                let part = here / (here - there);
                inside.push([point[0] + part * (next[0] - point[0]), point[1] + part * (next[1] - point[1])]);
            }
        }
        polygon = inside;
    }
    polygon
}

/// How far the thing in the quad is turned, to the nearest quarter, from the direction of its upper and lower edges.
pub fn rotation(quad: &Quad) -> Rotation {
    let right = [quad[1][0] - quad[0][0] + quad[2][0] - quad[3][0], quad[1][1] - quad[0][1] + quad[2][1] - quad[3][1]];
    match (right[0].abs() >= right[1].abs(), right[0] >= 0.0, right[1] >= 0.0) {
        (true, true, _) => Rotation::Deg0,
        (true, false, _) => Rotation::Deg180,
        (false, _, true) => Rotation::Deg90,
        (false, _, false) => Rotation::Deg270,
    }
}

/// Twice the signed area of the triangle: positive when a, b, c run clockwise (y down).
fn cross(a: Point, b: Point, c: Point) -> f32 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

#[cfg(test)]
mod tests;
