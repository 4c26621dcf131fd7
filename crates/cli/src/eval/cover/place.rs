//! Where something is laid on a card.

use shenfen_core::{FieldName, Point, Quad, Side};
use shenfen_ocr::geometry::{distance, middle};
use shenfen_ocr::{Cover, DetailedReading, LineDetails, Material, Random};

/// A kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The first one or two characters of a field.
    First,
    /// One or two characters inside of a field.
    Inner,
    /// The last one or two characters of a field.
    Last,
    /// A whole line.
    Row,
    /// The printed label before a field.
    Label,
    /// A corner of the card.
    Corner,
    /// An edge of the card, as fingers hold it.
    Edge,
    /// Where nothing is printed that is read: such a card should stay accepted.
    Elsewhere,
}

impl Place {
    /// In order of the table.
    pub(super) const ALL: [Place; 8] = [
        Place::First,
        Place::Inner,
        Place::Last,
        Place::Row,
        Place::Label,
        Place::Corner,
        Place::Edge,
        Place::Elsewhere,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Place::First => "first characters",
            Place::Inner => "inner characters",
            Place::Last => "last characters",
            Place::Row => "whole row",
            Place::Label => "label",
            Place::Corner => "corner",
            Place::Edge => "edge",
            Place::Elsewhere => "elsewhere",
        }
    }
}

/// A cover and what it was aimed at.
pub(super) struct Placed {
    pub(super) cover: Cover,
    pub(super) place: Place,
    /// `None` where no field was aimed at.
    pub(super) field: Option<FieldName>,
}

impl Placed {
    /// The name of the field for tables and files.
    pub(super) fn field_name(&self) -> &'static str {
        self.field.map_or("none", FieldName::as_str)
    }
}

/// A cover at a place drawn at random, on a card and of a size and material drawn at random too. `None` when there is no card.
pub(super) fn placed_at_random(read: &DetailedReading, random: &mut Random) -> Option<Placed> {
    let number = random.below(read.reading.cards.len());
    let (card, details) = (read.reading.cards.get(number)?, read.details.get(number)?);
    let lines: Vec<(FieldName, &LineDetails)> =
        details.iter().flat_map(|(&field, details)| details.lines.iter().map(move |line| (field, line))).collect();
    // The places of characters come up as often as all others together.
    let kind = random.below(14);
    let place = if kind < 9 { Place::ALL[kind / 3] } else { Place::ALL[kind - 6] };
    let material = Material::ALL[random.below(Material::ALL.len())];
    let seed = random.bits();
    let on_card = |middle, half, angle| Cover { middle, half, angle, material, seed };
    let width = distance(card.quad[0], card.quad[1]);
    let (field, cover) = match place {
        Place::First | Place::Inner | Place::Last | Place::Row | Place::Label => {
            let (field, line) = *lines.get(random.below(lines.len()))?;
            let (middle, half) = beside_or_over(place, line, random)?;
            (Some(field), on_card(middle, half, angle_of(&line.quad)))
        }
        Place::Corner => {
            let radius = width * random.between(0.05, 0.09);
            (None, on_card(card.quad[random.below(4)], [radius; 2], 0.0))
        }
        Place::Edge => {
            let (middle, half, angle) = finger(&card.quad, width, random);
            (None, on_card(middle, half, angle))
        }
        Place::Elsewhere => {
            let radius = width * random.between(0.02, 0.045);
            let middle = unprinted(card.side, &card.quad, random);
            (None, on_card(middle, [radius; 2], 0.0))
        }
    };
    Some(Placed { cover, place, field })
}

/// Middle and half sizes of a cover over characters of a line, or over the label before it. `None` of a line without characters.
fn beside_or_over(place: Place, line: &LineDetails, random: &mut Random) -> Option<(Point, [f32; 2])> {
    let em = distance(line.quad[0], line.quad[3]);
    let kept: Vec<f32> = line.detections.iter().filter(|one| one.kept).map(|one| one.position).collect();
    let (&start, &end) = (kept.first()?, kept.last()?);
    let count = kept.len();
    let span = 1 + random.below(2.min(count));
    let first = match place {
        Place::First => 0,
        Place::Last => count - span,
        _ => random.below(count - span + 1),
    };
    let (left, right) = match place {
        Place::Row => (start - 0.5, end + 0.5),
        Place::Label => (start - 3.6, start - 1.3),
        _ => (kept[first] - 0.5, kept[first + span - 1] + 0.5),
    };
    let at = |position: f32| (position / line.length.max(1e-3)).clamp(-10.0, 10.0);
    let between = |a: Point, b: Point, share: f32| [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share];
    let along = at(f32::midpoint(left, right));
    let top = between(line.quad[0], line.quad[1], along);
    let bottom = between(line.quad[3], line.quad[2], along);
    let grown = random.between(0.9, 1.25);
    Some((between(top, bottom, 0.5), [(right - left) / 2.0 * em * grown, em * random.between(0.55, 0.8)]))
}

/// A finger that reaches over a random edge of a card: middle, half sizes, angle.
fn finger(quad: &Quad, width: f32, random: &mut Random) -> (Point, [f32; 2], f32) {
    let edge = random.below(4);
    let (start, end) = (quad[edge], quad[(edge + 1) % 4]);
    let share = random.between(0.1, 0.9);
    let on_edge = [start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share];
    let inner = middle(quad);
    let edge_middle = [f32::midpoint(start[0], end[0]), f32::midpoint(start[1], end[1])];
    let inward = (inner[1] - edge_middle[1]).atan2(inner[0] - edge_middle[0]) + random.between(-0.3, 0.3);
    let (length, depth) = (width * random.between(0.12, 0.25), width * random.between(0.03, 0.13));
    let back = depth - length;
    let middle = [on_edge[0] + inward.cos() * back, on_edge[1] + inward.sin() * back];
    (middle, [length, width * random.between(0.05, 0.08)], inward)
}

/// A point on the portrait of a front, or between the title and the lines of a back.
fn unprinted(side: Side, quad: &Quad, random: &mut Random) -> Point {
    let [x, y] = match side {
        Side::Front => [random.between(0.70, 0.88), random.between(0.25, 0.6)],
        Side::Back => [random.between(0.45, 0.85), random.between(0.47, 0.56)],
    };
    let top = [quad[0][0] + (quad[1][0] - quad[0][0]) * x, quad[0][1] + (quad[1][1] - quad[0][1]) * x];
    let bottom = [quad[3][0] + (quad[2][0] - quad[3][0]) * x, quad[3][1] + (quad[2][1] - quad[3][1]) * x];
    [top[0] + (bottom[0] - top[0]) * y, top[1] + (bottom[1] - top[1]) * y]
}

fn angle_of(quad: &Quad) -> f32 {
    (quad[1][1] - quad[0][1]).atan2(quad[1][0] - quad[0][0])
}
