//! Convolution over channels-last maps: both factors as bytes, multiplied exactly, the results as numbers again.
//!
//! candle's own convolution re-lays input and weights at every call and is 10 to 100 times slower on these sizes (see
//! `benches/convolution.rs`). Bytes cost the networks little (docs/accuracy.md), are a quarter of the memory to move, and
//! processors multiply four times as many of them at once. Bias, addition and ReLU happen while a result is still in
//! registers.

use super::kernel::{Added, Block, DEPTH, LANES, Product};
use super::quantised::{QuantisedMap, quantise_weights};
use super::{FeatureMap, NetworkError, Scratch};
use crate::multiversioned::InstructionSet;

/// What a convolution works in.
#[derive(Default)]
pub(super) struct Work {
    map: QuantisedMap,
    start: Vec<i32>,
    factors: Vec<f32>,
    /// The map in 16 bits, where the kernel needs it so.
    wide: Vec<i16>,
}

/// The weights of a convolution, laid out once for the kernel.
pub struct Conv {
    /// The network and the layer in it.
    name: String,
    /// For each group of outputs, each row of the kernel and each step along it.
    weights: Vec<Block>,
    /// For each output, filled up to whole groups: the sum of its weights, what a step of them means, its bias.
    sums: Vec<i32>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    kernel: [usize; 2],
    inputs: usize,
    outputs: usize,
}

/// How a convolution is applied.
#[derive(Clone, Copy)]
pub struct Step {
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Whether negative results become 0.
    pub relu: bool,
}

impl Step {
    /// Stride 1 with ReLU.
    pub const RELU: Step = Step { stride: [1, 1], relu: true };
    /// Stride 1 without ReLU.
    pub const PLAIN: Step = Step { stride: [1, 1], relu: false };
    /// Half the height and half the width, with ReLU.
    pub const HALVE: Step = Step { stride: [2, 2], relu: true };
}

impl Conv {
    /// Lays out `weight`, of the `shape` `[outputs, inputs, height, width]`, and `bias` `[outputs]` anew for the kernel. `name` is
    /// what errors and observers call the layer.
    ///
    /// # Errors
    /// When shape, weight and bias do not fit each other.
    pub fn new(name: impl Into<String>, shape: [usize; 4], weight: &[f32], bias: &[f32]) -> Result<Conv, NetworkError> {
        let name = name.into();
        let [outputs, inputs, height, width] = shape;
        if bias.len() != outputs || weight.len() != shape.iter().product::<usize>() {
            let reason = format!("{} weights and a bias of {} for the shape {shape:?}", weight.len(), bias.len());
            return Err(NetworkError::new(name, reason));
        }
        let steps = (width * inputs).div_ceil(DEPTH);
        let padded = outputs.next_multiple_of(LANES);
        let mut weights = vec![[0; LANES * DEPTH]; padded / LANES * height * steps];
        let (mut sums, mut scales) = (vec![0; padded], vec![1.0; padded]);
        for (output, filter) in weight.chunks_exact((inputs * height * width).max(1)).enumerate() {
            let (bytes, scale) = quantise_weights(&channels_last(filter, inputs));
            scales[output] = scale;
            sums[output] = bytes.iter().map(|&byte| i32::from(byte)).sum();
            for (index, byte) in bytes.into_iter().enumerate() {
                let (kernel_row, place) = (index / (width * inputs), index % (width * inputs));
                let block = (output / LANES * height + kernel_row) * steps + place / DEPTH;
                weights[block][output % LANES * DEPTH + place % DEPTH] = byte;
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(padded, 0.0);
        Ok(Conv { name, weights, sums, scales, bias, kernel: [height, width], inputs, outputs })
    }

    /// Applies it to a map [height, width, inputs].
    ///
    /// Odd kernels are padded with zeros by half their size; even ones are not padded.
    ///
    /// # Errors
    /// When the map has other channels than the weights.
    pub fn apply(&self, map: &FeatureMap, step: Step, scratch: &Scratch) -> Result<FeatureMap, NetworkError> {
        let size = self.size_for(map, step)?;
        Ok(self.applied(map, size, Added::Nothing, step, scratch))
    }

    /// Applies it and adds `other` before the ReLU. `other` has the size of the result, or half its height and width:
    /// then every pixel of it counts for two by two of the result.
    ///
    /// # Errors
    /// When sizes or channels do not fit.
    pub fn apply_and_add(
        &self,
        map: &FeatureMap,
        other: &FeatureMap,
        step: Step,
        scratch: &Scratch,
    ) -> Result<FeatureMap, NetworkError> {
        let size @ [height, width] = self.size_for(map, step)?;
        let added = match other.shape() {
            shape if shape == [height, width, self.outputs] => Added::Same(other.values()),
            [h, w, channels] if [2 * h, 2 * w, channels] == [height, width, self.outputs] => {
                Added::Half(other.values(), w)
            }
            shape => {
                let reason = format!("cannot add {shape:?} to {height} x {width} x {}", self.outputs);
                return Err(NetworkError::new(&*self.name, reason));
            }
        };
        Ok(self.applied(map, size, added, step, scratch))
    }

    /// How many channels go in.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many channels come out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    fn padding(&self) -> [usize; 2] {
        self.kernel.map(|size| if size % 2 == 1 { size / 2 } else { 0 })
    }

    /// The height and width of the result for a map.
    fn size_for(&self, map: &FeatureMap, step: Step) -> Result<[usize; 2], NetworkError> {
        let [height, width, channels] = map.shape();
        let [pad_y, pad_x] = self.padding();
        let (padded_height, padded_width) = (height + 2 * pad_y, width + 2 * pad_x);
        if channels != self.inputs || padded_height < self.kernel[0] || padded_width < self.kernel[1] {
            let reason = format!(
                "a {:?} kernel over {} channels meets a map of {height} x {width} x {channels}",
                self.kernel, self.inputs
            );
            return Err(NetworkError::new(&*self.name, reason));
        }
        Ok([
            (padded_height - self.kernel[0]) / step.stride[0] + 1,
            (padded_width - self.kernel[1]) / step.stride[1] + 1,
        ])
    }

    /// The results for a map, of the `size` that `size_for` gave.
    fn applied(&self, map: &FeatureMap, size: [usize; 2], added: Added, step: Step, scratch: &Scratch) -> FeatureMap {
        let mut out = FeatureMap::zeros([size[0], size[1], self.outputs]);
        self.compute(map.values(), map.shape(), size, added, step, scratch, out.values_mut());
        scratch.observe_output(&self.name, &mut out);
        out
    }

    /// The results for the `values` of a map of `shape` into `out` [height, width, outputs].
    #[expect(clippy::too_many_arguments, reason = "a map, what it becomes, and where it goes")]
    fn compute(
        &self,
        values: &[f32],
        shape: [usize; 3],
        [height, width]: [usize; 2],
        added: Added,
        step: Step,
        scratch: &Scratch,
        out: &mut [f32],
    ) {
        let work = &mut *scratch.work.borrow_mut();
        work.map.fill(values, shape, self.padding());
        work.start.clear();
        work.start.extend(self.sums.iter().map(|sum| -work.map.zero() * sum));
        work.factors.clear();
        work.factors.extend(self.scales.iter().map(|scale| scale * work.map.scale()));
        let product = Product {
            map: work.map.bytes(),
            row_bytes: work.map.row_bytes(),
            across: step.stride[1] * self.inputs,
            down: step.stride[0] * work.map.row_bytes(),
            width,
            pixels: height * width,
            kernel_rows: self.kernel[0],
            steps: (self.kernel[1] * self.inputs).div_ceil(DEPTH),
            weights: &self.weights,
            start: &work.start,
            factors: &work.factors,
            bias: &self.bias,
            outputs: self.outputs,
            relu: step.relu,
            added,
        };
        product.compute(InstructionSet::best(), &mut work.wide, out);
        scratch.count_products(height * width * self.kernel[0] * self.kernel[1] * self.inputs * self.outputs);
    }

    /// Applies it, a 1 x 1 one, to single pixels [count, inputs]; the results [count, outputs] replace what is in `out`.
    pub(crate) fn apply_to_pixels(&self, pixels: &[f32], scratch: &Scratch, out: &mut Vec<f32>) {
        let count = pixels.len() / self.inputs.max(1);
        out.clear();
        out.resize(count * self.outputs, 0.0);
        self.compute(pixels, [1, count, self.inputs], [1, count], Added::Nothing, Step::PLAIN, scratch, out);
    }
}

/// [inputs, height x width] -> [height x width, inputs]: the order in which a patch stands in a map.
fn channels_last(filter: &[f32], inputs: usize) -> Vec<f32> {
    let area = filter.len() / inputs.max(1);
    (0..area).flat_map(|at| (0..inputs).map(move |input| filter[input * area + at])).collect()
}

#[cfg(test)]
mod tests;
