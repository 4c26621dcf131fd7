//! Whether confidences mean what they say: of the fields read with 0.9, nine in ten should be right.

use serde::{Serialize, Serializer};

const BINS: usize = 10;

/// Fields that were read, sorted into ten bins of equal width by their confidence.
#[derive(Default)]
pub(super) struct Calibration {
    bins: [Sums; BINS],
}

#[derive(Clone, Copy, Default)]
struct Sums {
    fields: u64,
    right: u64,
    confidence: f64,
}

/// What became of the fields of a range of confidences.
#[derive(Serialize)]
pub(super) struct Bin {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) fields: u64,
    /// The mean of their confidences.
    pub(super) confidence: f64,
    /// The share of them that is right.
    pub(super) right: f64,
}

impl Calibration {
    /// Counts a field.
    pub(super) fn add(&mut self, confidence: f32, right: bool) {
        let confidence = f64::from(confidence).clamp(0.0, 1.0);
        let bin = &mut self.bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.fields += 1;
        bin.right += u64::from(right);
        bin.confidence += confidence;
    }

    /// The bins that hold anything.
    pub(super) fn bins(&self) -> Vec<Bin> {
        let filled = self.bins.iter().enumerate().filter(|(_, sums)| sums.fields > 0);
        let bin = |(index, sums): (usize, &Sums)| Bin {
            from: index as f64 / BINS as f64,
            to: (index + 1) as f64 / BINS as f64,
            fields: sums.fields,
            confidence: sums.confidence / sums.fields as f64,
            right: sums.right as f64 / sums.fields as f64,
        };
        filled.map(bin).collect()
    }

    /// The expected calibration error: how far confidence and share of right ones lie apart, averaged over the fields.
    /// `None` of no fields.
    pub(super) fn error(&self) -> Option<f64> {
        let bins = self.bins();
        let fields: u64 = bins.iter().map(|bin| bin.fields).sum();
        let sum: f64 = bins.iter().map(|bin| bin.fields as f64 * (bin.confidence - bin.right).abs()).sum();
        (fields > 0).then(|| sum / fields as f64)
    }
}

impl Serialize for Calibration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape {
            error: Option<f64>,
            bins: Vec<Bin>,
        }
        Shape { error: self.error(), bins: self.bins() }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_mean_distance_between_confidence_and_share_of_right_ones() {
        let mut calibration = Calibration::default();
        assert_eq!(calibration.error(), None);
        // One bin says 0.95 where all are right, the other 0.55 where none of as many is.
        for _ in 0..4 {
            calibration.add(0.95, true);
            calibration.add(0.55, false);
        }
        let error = calibration.error().unwrap();
        assert!((error - (0.05 + 0.55) / 2.0).abs() < 1e-6, "{error}");
        assert_eq!(calibration.bins().iter().map(|bin| bin.fields).collect::<Vec<_>>(), [4, 4]);
    }

    #[test]
    fn certainty_belongs_to_the_last_bin() {
        let mut calibration = Calibration::default();
        calibration.add(1.0, true);
        assert_eq!((calibration.bins()[0].from, calibration.error()), (0.9, Some(0.0)));
    }
}
