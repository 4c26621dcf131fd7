//! Convolution over channels-last maps: both factors as bytes, multiplied exactly, the results as numbers again.
//!
//! candle's own convolution re-lays input and weights at every call and is 10 to 100 times slower on these sizes (see
//! `benches/convolution.rs`). Bytes cost the networks nothing that their scores show (docs/performance.md), are a quarter
//! of the memory to move, and processors multiply four times as many of them at once. Bias, addition and ReLU happen while
//! a result is still in registers.

use std::cell::RefCell;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::kernel::{Added, Block, DEPTH, LANES, Product};
use super::quantised::{Map, QuantisedMap, quantise_weights};
use crate::multiversioned::InstructionSet;

/// What convolutions work in; one per reader, so that nothing is allocated per layer but its result.
#[derive(Default)]
pub struct Scratch(RefCell<Work>);

#[derive(Default)]
struct Work {
    map: QuantisedMap,
    start: Vec<i32>,
    factors: Vec<f32>,
    products: u64,
}

impl Scratch {
    /// How many multiplications of the networks were done with it.
    pub fn products(&self) -> u64 {
        self.0.borrow().products
    }
}

/// The weights of a convolution, laid out once for the kernel.
pub struct Conv {
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
    /// Re-lays `weight` `[outputs, inputs, height, width]` and `bias` `[outputs]`.
    ///
    /// # Errors
    /// When the two do not fit each other.
    pub fn new(weight: &Tensor, bias: &Tensor) -> Result<Conv> {
        let (outputs, inputs, height, width) = weight.dims4()?;
        let mut bias = bias.to_vec1::<f32>()?;
        if bias.len() != outputs {
            bail!("{outputs} outputs but a bias of {}", bias.len());
        }
        // In the order in which a patch stands in a channels-last map.
        let rows = weight.permute((0, 2, 3, 1))?.flatten_all()?.to_vec1::<f32>()?;
        let steps = (width * inputs).div_ceil(DEPTH);
        let padded = outputs.next_multiple_of(LANES);
        let mut weights = vec![[0; LANES * DEPTH]; padded / LANES * height * steps];
        let (mut sums, mut scales) = (vec![0; padded], vec![1.0; padded]);
        for (output, row) in rows.chunks_exact((height * width * inputs).max(1)).enumerate() {
            let (bytes, scale) = quantise_weights(row);
            scales[output] = scale;
            sums[output] = bytes.iter().map(|&byte| i32::from(byte)).sum();
            for (index, byte) in bytes.into_iter().enumerate() {
                let (kernel_row, place) = (index / (width * inputs), index % (width * inputs));
                let block = (output / LANES * height + kernel_row) * steps + place / DEPTH;
                weights[block][output % LANES * DEPTH + place % DEPTH] = byte;
            }
        }
        bias.resize(padded, 0.0);
        Ok(Conv { weights, sums, scales, bias, kernel: [height, width], inputs, outputs })
    }

    /// Applies it to a map [height, width, inputs].
    ///
    /// Odd kernels are padded with zeros by half their size; even ones are not padded.
    ///
    /// # Errors
    /// When the map has other channels than the weights.
    pub fn apply(&self, map: &Tensor, step: Step, scratch: &Scratch) -> Result<Tensor> {
        map.apply_op1_no_bwd(&Applied { conv: self, step, scratch })
    }

    /// Applies it and adds `other` before the ReLU. `other` has the size of the result, or half its height and width:
    /// then every pixel of it counts for two by two of the result.
    ///
    /// # Errors
    /// When sizes or channels do not fit.
    pub fn apply_and_add(&self, map: &Tensor, other: &Tensor, step: Step, scratch: &Scratch) -> Result<Tensor> {
        map.apply_op2_no_bwd(other, &Applied { conv: self, step, scratch })
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
    fn size_for(&self, map: Map, step: Step) -> Result<[usize; 2]> {
        let [pad_y, pad_x] = self.padding();
        let (padded_height, padded_width) = (map.height + 2 * pad_y, map.width + 2 * pad_x);
        if map.channels != self.inputs || padded_height < self.kernel[0] || padded_width < self.kernel[1] {
            bail!(
                "a {:?} kernel over {} channels meets a map of {} x {} x {}",
                self.kernel,
                self.inputs,
                map.height,
                map.width,
                map.channels
            );
        }
        Ok([
            (padded_height - self.kernel[0]) / step.stride[0] + 1,
            (padded_width - self.kernel[1]) / step.stride[1] + 1,
        ])
    }

    /// The results for a map into `out` [height, width, outputs], of the `size` that `size_for` gave.
    fn compute(&self, (map, size): (Map, [usize; 2]), added: Added, step: Step, work: &mut Work, out: &mut [f32]) {
        let [height, width] = size;
        work.map.fill(map, self.padding());
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
        product.compute(InstructionSet::best(), out);
        work.products += (height * width * self.kernel[0] * self.kernel[1] * self.inputs * self.outputs) as u64;
    }

    /// Applies it, a 1 x 1 one, to single pixels [count, inputs]; the results [count, outputs] replace what is in `out`.
    pub(crate) fn apply_to_pixels(&self, pixels: &[f32], scratch: &Scratch, out: &mut Vec<f32>) {
        let count = pixels.len() / self.inputs.max(1);
        let map = Map { data: pixels, height: 1, width: count, channels: self.inputs };
        out.clear();
        out.resize(count * self.outputs, 0.0);
        self.compute((map, [1, count]), Added::Nothing, Step::PLAIN, &mut scratch.0.borrow_mut(), out);
    }
}

/// A convolution as candle calls it.
struct Applied<'a> {
    conv: &'a Conv,
    step: Step,
    scratch: &'a Scratch,
}

fn map_of<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<Map<'a>> {
    let (height, width, channels) = layout.shape().dims3()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(Map { data: &storage.as_slice::<f32>()?[start..end], height, width, channels }),
        None => bail!("a convolution needs a contiguous map"),
    }
}

impl Applied<'_> {
    fn run(&self, map: Map, other: Option<Map>) -> Result<(CpuStorage, Shape)> {
        let size @ [height, width] = self.conv.size_for(map, self.step)?;
        let outputs = self.conv.outputs;
        let added = match other {
            None => Added::Nothing,
            Some(other) if other.channels == outputs && [other.height, other.width] == size => Added::Same(other.data),
            Some(other) if other.channels == outputs && [2 * other.height, 2 * other.width] == size => {
                Added::Half(other.data, other.width)
            }
            Some(other) => {
                bail!(
                    "cannot add {} x {} x {} to {height} x {width} x {outputs}",
                    other.height,
                    other.width,
                    other.channels
                )
            }
        };
        let mut out = vec![0.0; height * width * outputs];
        self.conv.compute((map, size), added, self.step, &mut self.scratch.0.borrow_mut(), &mut out);
        Ok((CpuStorage::F32(out), Shape::from((height, width, outputs))))
    }
}

impl CustomOp1 for Applied<'_> {
    fn name(&self) -> &'static str {
        "channels-last convolution"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.run(map_of(storage, layout)?, None)
    }
}

impl CustomOp2 for Applied<'_> {
    fn name(&self) -> &'static str {
        "channels-last convolution and addition"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        self.run(map_of(s1, l1)?, Some(map_of(s2, l2)?))
    }
}

#[cfg(test)]
mod tests;
