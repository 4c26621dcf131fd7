//! Whether cards are found where the labels have them, the right way up.

use serde::{Serialize, Serializer};
use shenfen_core::{CardResult, PictureResult, Point, Quad};

use super::labels::Label;

/// Of a card's width: a card whose corners are farther off on average, whichever way up, is another one.
const SAME_CARD: f32 = 0.25;
/// Corners this near, in card widths, are as good as the networks after them can use.
const CLOSE: f32 = 0.005;

/// Counts over the cards whose labels tell their corners.
#[derive(Default)]
pub(super) struct Locating {
    labelled: u64,
    /// The found ones.
    found: Vec<Found>,
    /// Cards in the results where the labels have none.
    extra: u64,
}

struct Found {
    side_is_right: bool,
    turn_is_right: bool,
    /// Mean distance of a corner from its label, in card widths.
    error: f32,
}

/// What there is to say of it.
#[derive(Serialize)]
pub(super) struct Located {
    /// Cards whose labels tell their corners.
    pub(super) labelled: u64,
    /// Those that were found, and cards found where there is none.
    pub(super) found: u64,
    pub(super) extra: u64,
    /// Of the found ones, those with the right side; with the right turn; and with both.
    pub(super) side: u64,
    pub(super) turn: u64,
    pub(super) side_and_turn: u64,
    /// Mean and median distance of the found ones' corners from the labels, in card widths; the share nearer than 0.5 %.
    pub(super) mean_error: f64,
    pub(super) median_error: f64,
    pub(super) close: f64,
}

impl Locating {
    /// Counts a picture; one of whose cards the labels do not tell every corner says nothing.
    pub(super) fn add(&mut self, labels: &[Label], result: &PictureResult) {
        let Some(quads) = labels.iter().map(|label| label.quad).collect::<Option<Vec<Quad>>>() else { return };
        self.labelled += quads.len() as u64;
        let mut free: Vec<&CardResult> = result.cards.iter().collect();
        for (label, quad) in labels.iter().zip(&quads) {
            let nearest = (free.iter().enumerate())
                .map(|(at, card)| (at, distance(quad, &card.quad)))
                .min_by(|(_, a), (_, b)| a.error.total_cmp(&b.error));
            if let Some((at, Distance { turns, error })) = nearest.filter(|(_, distance)| distance.error < SAME_CARD) {
                let card = free.swap_remove(at);
                self.found.push(Found { side_is_right: card.side == label.side, turn_is_right: turns == 0, error });
            }
        }
        self.extra += free.len() as u64;
    }

    /// The counts; `None` where no label tells corners.
    pub(super) fn located(&self) -> Option<Located> {
        let count = |which: fn(&Found) -> bool| self.found.iter().filter(|found| which(found)).count() as u64;
        let mut errors: Vec<f64> = self.found.iter().map(|found| f64::from(found.error)).collect();
        errors.sort_by(f64::total_cmp);
        let found = errors.len().max(1) as f64;
        (self.labelled > 0).then(|| Located {
            labelled: self.labelled,
            found: self.found.len() as u64,
            extra: self.extra,
            side: count(|found| found.side_is_right),
            turn: count(|found| found.turn_is_right),
            side_and_turn: count(|found| found.side_is_right && found.turn_is_right),
            mean_error: errors.iter().sum::<f64>() / found,
            median_error: errors.get(errors.len() / 2).copied().unwrap_or_default(),
            close: count(|found| found.error < CLOSE) as f64 / found,
        })
    }
}

impl Serialize for Locating {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.located().serialize(serializer)
    }
}

/// How far a card found is from a label.
struct Distance {
    /// Quarter turns at which its corners fit best.
    turns: usize,
    /// Their mean distance then, in widths of the labelled card.
    error: f32,
}

fn distance(label: &Quad, card: &Quad) -> Distance {
    let apart = |a: Point, b: Point| (a[0] - b[0]).hypot(a[1] - b[1]);
    let width = apart(label[0], label[1]).max(1.0);
    let error = |turns: usize| (0..4).map(|at| apart(label[(at + turns) % 4], card[at])).sum::<f32>() / 4.0 / width;
    let fits = (0..4).map(|turns| Distance { turns, error: error(turns) });
    fits.min_by(|a, b| a.error.total_cmp(&b.error)).unwrap_or(Distance { turns: 0, error: f32::INFINITY })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Quad = [[10.0, 10.0], [110.0, 10.0], [110.0, 73.0], [10.0, 73.0]];

    #[test]
    fn a_card_moved_is_as_far_as_it_was_moved_and_one_turned_is_turned() {
        let moved = distance(&LABEL, &LABEL.map(|[x, y]| [x + 3.0, y + 4.0]));
        assert_eq!(moved.turns, 0);
        assert!((moved.error - 0.05).abs() < 1e-6);
        let mut turned = LABEL;
        turned.rotate_left(2);
        let turned = distance(&LABEL, &turned);
        assert_eq!(turned.turns, 2);
        assert!(turned.error < 1e-6);
    }

    #[test]
    fn a_card_elsewhere_is_another_card() {
        assert!(distance(&LABEL, &LABEL.map(|[x, y]| [x + 40.0, y])).error > SAME_CARD);
    }
}
