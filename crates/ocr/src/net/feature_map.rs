//! What goes into a network and comes out of it.

use super::NetworkError;

/// A picture, or what a layer makes of it: numbers by row, column and channel, channels last. The channels of a pixel are
/// neighbours, and so are the pixels of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMap {
    shape: [usize; 3],
    values: Vec<f32>,
}

impl FeatureMap {
    /// A map of `shape` [height, width, channels].
    ///
    /// # Errors
    /// When there are more or fewer values than the shape says.
    pub fn new(shape: [usize; 3], values: Vec<f32>) -> Result<FeatureMap, NetworkError> {
        if values.len() != shape.iter().product::<usize>() {
            return Err(NetworkError::new("map", format!("{} values for the shape {shape:?}", values.len())));
        }
        Ok(FeatureMap { shape, values })
    }

    /// A map of zeros.
    pub fn zeros(shape: [usize; 3]) -> FeatureMap {
        FeatureMap { shape, values: vec![0.0; shape.iter().product()] }
    }

    /// Height, width and number of channels.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Rows of the map.
    pub fn height(&self) -> usize {
        self.shape[0]
    }

    /// Columns of the map.
    pub fn width(&self) -> usize {
        self.shape[1]
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// All values, row by row, without the map.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}
