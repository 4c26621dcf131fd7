//! Whether the quality figures of a card foretell that it is misread.

use serde::{Serialize, Serializer};
use shenfen_core::Quality;

/// A figure by its name.
type Figure = (&'static str, fn(&Quality) -> f32);

const FIGURES: [Figure; 5] = [
    ("sharpness", |quality| quality.sharpness),
    ("exposure", |quality| quality.exposure),
    ("glare", |quality| quality.glare),
    ("resolution", |quality| quality.resolution),
    ("completeness", |quality| quality.completeness),
];

/// The figures of every card found, and whether all of its fields were right.
#[derive(Default)]
pub(super) struct QualityScores {
    cards: Vec<([f32; FIGURES.len()], bool)>,
}

/// What one figure is worth.
#[derive(Serialize)]
pub(super) struct Worth {
    pub(super) figure: &'static str,
    /// Its mean over cards read right, and over misread ones.
    pub(super) right: f64,
    pub(super) misread: f64,
    /// The probability that it is higher for a card read right than for a misread one (the area under the ROC curve):
    /// 0.5 foretells nothing, 1 everything.
    pub(super) area: f64,
}

impl QualityScores {
    /// Counts a card.
    pub(super) fn add(&mut self, quality: &Quality, right: bool) {
        self.cards.push((FIGURES.map(|(_, figure)| figure(quality)), right));
    }

    /// What each figure is worth; empty unless there are cards of both kinds.
    pub(super) fn worth(&self) -> Vec<Worth> {
        let values = |index: usize, kind: bool| -> Vec<f32> {
            self.cards.iter().filter(|card| card.1 == kind).map(|card| card.0[index]).collect()
        };
        let worth = |(index, &(figure, _)): (usize, &Figure)| {
            let (right, misread) = (values(index, true), values(index, false));
            (!right.is_empty() && !misread.is_empty()).then(|| Worth {
                figure,
                right: mean(&right),
                misread: mean(&misread),
                area: area(&right, &misread),
            })
        };
        FIGURES.iter().enumerate().filter_map(worth).collect()
    }
}

fn mean(values: &[f32]) -> f64 {
    values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64
}

/// How often a value of `high` is above one of `low`; equal ones count half.
fn area(high: &[f32], low: &[f32]) -> f64 {
    let mut sorted = low.to_vec();
    sorted.sort_by(f32::total_cmp);
    let wins = |value: &f32| {
        let below = sorted.partition_point(|other| other < value);
        let not_above = sorted.partition_point(|other| other <= value);
        (below + not_above) as f64 / 2.0
    };
    high.iter().map(wins).sum::<f64>() / (high.len() * low.len()) as f64
}

impl Serialize for QualityScores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.worth().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::area;

    #[test]
    fn the_area_is_the_share_of_pairs_in_order() {
        assert_eq!(area(&[0.9, 0.8], &[0.1, 0.2]), 1.0);
        assert_eq!(area(&[0.5], &[0.5]), 0.5);
        assert_eq!(area(&[0.1, 0.9], &[0.5]), 0.5);
    }
}
