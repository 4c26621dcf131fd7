//! Components with fewer samples than the picture has pixels.

/// The samples of a component.
pub(super) struct Samples {
    pub(super) values: Vec<u8>,
    /// Values from one row to the next.
    pub(super) stride: usize,
    /// Samples across and down, without those that only fill blocks.
    pub(super) size: [usize; 2],
}

impl Samples {
    /// Fills row `y` of the picture, which has `factors` pixels for each sample, across and down. Where there are two and
    /// `is_smooth`, a pixel is three quarters of its sample and one quarter of the next nearest; else it is its sample.
    pub(super) fn fill_row(&self, row: &mut [u8], y: usize, factors: [usize; 2], is_smooth: bool) {
        let near = y / factors[1];
        let far = if is_smooth && factors[1] == 2 { next_nearest(y, self.size[1]) } else { near };
        let at = |x: usize| {
            let [near, far] = [near, far].map(|row| u16::from(self.values[row * self.stride + x]));
            mixed(near, far)
        };
        for (x, pixel) in row.iter_mut().enumerate() {
            let near = x / factors[0];
            let far = if is_smooth && factors[0] == 2 { next_nearest(x, self.size[0]) } else { near };
            *pixel = mixed(at(near), at(far)) as u8;
        }
    }
}

/// Of the samples with two pixels each, the one that is next to pixel `at` beside its own; its own at the border.
fn next_nearest(at: usize, samples: usize) -> usize {
    let own = at / 2;
    if at.is_multiple_of(2) { own.saturating_sub(1) } else { (own + 1).min(samples - 1) }
}

/// Three parts of one and one part of the other.
fn mixed(near: u16, far: u16) -> u16 {
    (3 * near + far + 2) / 4
}
