//! The share of pictures that could be accepted automatically if nothing but their confidence counted.

use serde::{Serialize, Serializer};

/// The least share of the automatically accepted pictures that are entirely right.
pub(super) const PRECISION: f64 = 0.999;

/// All pictures with their confidence (of the least sure card; `None` for a refused picture) and whether they are right.
#[derive(Default)]
pub(super) struct AutomaticShare {
    pictures: Vec<(Option<f32>, bool)>,
}

impl AutomaticShare {
    /// Counts a picture.
    pub(super) fn add(&mut self, confidence: Option<f32>, right: bool) {
        self.pictures.push((confidence, right));
    }

    /// The largest share of all pictures that a threshold on the confidence accepts with at least [`PRECISION`] of them
    /// right, and that threshold. `None` if there is none.
    pub(super) fn best(&self) -> Option<(f64, f32)> {
        let mut read: Vec<(f32, bool)> =
            self.pictures.iter().filter_map(|&(confidence, right)| Some((confidence?, right))).collect();
        read.sort_by(|one, other| other.0.total_cmp(&one.0));
        let mut right = 0_usize;
        let mut best = None;
        for (index, &(confidence, is_right)) in read.iter().enumerate() {
            right += usize::from(is_right);
            let accepted = index + 1;
            // A threshold takes all pictures of one confidence, or none of them.
            let is_edge = read.get(accepted).is_none_or(|next| next.0 < confidence);
            if is_edge && right as f64 >= PRECISION * accepted as f64 {
                best = Some((accepted as f64 / self.pictures.len() as f64, confidence));
            }
        }
        best
    }
}

impl Serialize for AutomaticShare {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape {
            precision: f64,
            share: f64,
            confidence_from: Option<f32>,
        }
        let best = self.best();
        let (share, confidence_from) = (best.map_or(0.0, |best| best.0), best.map(|best| best.1));
        Shape { precision: PRECISION, share, confidence_from }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::AutomaticShare;

    #[test]
    fn the_share_ends_before_the_first_error_of_a_small_set() {
        let mut share = AutomaticShare::default();
        assert_eq!(share.best(), None);
        for (confidence, right) in [(0.9, true), (0.99, true), (0.8, false), (0.7, true)] {
            share.add(Some(confidence), right);
        }
        share.add(None, false);
        assert_eq!(share.best(), Some((0.4, 0.9)));
    }

    #[test]
    fn pictures_of_one_confidence_are_accepted_together() {
        let mut share = AutomaticShare::default();
        for (confidence, right) in [(0.9, true), (0.9, false), (0.95, true)] {
            share.add(Some(confidence), right);
        }
        assert_eq!(share.best(), Some((1.0 / 3.0, 0.95)));
    }

    #[test]
    fn one_error_in_a_thousand_is_allowed() {
        let mut share = AutomaticShare::default();
        (0..1000).for_each(|number| share.add(Some(0.9), number != 500));
        assert_eq!(share.best(), Some((1.0, 0.9)));
    }
}
