//! Convolution over channels-last maps: patches laid out as rows in a small buffer, then one matrix product a tile.
//!
//! candle's own convolution re-lays input and weights at every call and is 3 to 25 times slower on these sizes (see
//! `benches/convolution.rs`). Bias, addition and ReLU happen while a tile of the output is still in the cache.

use std::cell::RefCell;
use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::matmul::{Product, multiply_add};

/// Floats in a tile of unfolded patches: 128 KiB, so that it stays in the second-level cache with the weights.
const TILE: usize = 32 * 1024;

/// The buffer that convolutions unfold patches into; one per reader, so that nothing is allocated per layer.
#[derive(Default)]
pub struct Scratch(RefCell<Vec<f32>>);

/// The weights of a convolution, laid out once for channels-last maps.
pub struct Conv {
    /// [kernel height, kernel width, inputs, outputs]: the right factor of the product.
    weights: Vec<f32>,
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
    /// Re-lays `weight` [outputs, inputs, height, width] and `bias` [outputs].
    ///
    /// # Errors
    /// When the two do not fit each other.
    pub fn new(weight: &Tensor, bias: &Tensor) -> Result<Conv> {
        let (outputs, inputs, height, width) = weight.dims4()?;
        let bias = bias.to_vec1::<f32>()?;
        if bias.len() != outputs {
            bail!("{outputs} outputs but a bias of {}", bias.len());
        }
        let weights = weight.permute((2, 3, 1, 0))?.flatten_all()?.to_vec1::<f32>()?;
        Ok(Conv { weights, bias, kernel: [height, width], inputs, outputs })
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

    /// How many channels come out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    fn padding(&self) -> [usize; 2] {
        self.kernel.map(|size| if size % 2 == 1 { size / 2 } else { 0 })
    }
}

/// A convolution as candle calls it.
struct Applied<'a> {
    conv: &'a Conv,
    step: Step,
    scratch: &'a Scratch,
}

/// A channels-last map as a slice.
#[derive(Clone, Copy)]
struct Map<'a> {
    data: &'a [f32],
    height: usize,
    width: usize,
    channels: usize,
}

impl<'a> Map<'a> {
    fn of(storage: &'a CpuStorage, layout: &Layout) -> Result<Map<'a>> {
        let (height, width, channels) = layout.shape().dims3()?;
        match layout.contiguous_offsets() {
            Some((start, end)) => Ok(Map { data: &storage.as_slice::<f32>()?[start..end], height, width, channels }),
            None => bail!("a convolution needs a contiguous map"),
        }
    }
}

impl Applied<'_> {
    fn run(&self, map: Map, other: Option<Map>) -> Result<(CpuStorage, Shape)> {
        let conv = self.conv;
        let [pad_y, pad_x] = conv.padding();
        let (padded_height, padded_width) = (map.height + 2 * pad_y, map.width + 2 * pad_x);
        if map.channels != conv.inputs || padded_height < conv.kernel[0] || padded_width < conv.kernel[1] {
            bail!(
                "a {:?} kernel over {} channels meets a map of {} x {} x {}",
                conv.kernel,
                conv.inputs,
                map.height,
                map.width,
                map.channels
            );
        }
        let height = (padded_height - conv.kernel[0]) / self.step.stride[0] + 1;
        let width = (padded_width - conv.kernel[1]) / self.step.stride[1] + 1;
        if let Some(other) = other
            && (other.channels != conv.outputs
                || ![[height, width], [height / 2, width / 2]].contains(&[other.height, other.width]))
        {
            bail!(
                "cannot add {} x {} x {} to {height} x {width} x {}",
                other.height,
                other.width,
                other.channels,
                conv.outputs
            );
        }
        let mut out = Vec::with_capacity(height * width * conv.outputs);
        let depth = conv.kernel[0] * conv.kernel[1] * conv.inputs;
        let tile = (TILE / depth).max(16).min(height * width);
        let direct = conv.kernel == [1, 1] && self.step.stride == [1, 1];
        let mut patches = self.scratch.0.borrow_mut();
        if !direct && patches.len() < tile * depth {
            patches.resize(tile * depth, 0.0);
        }
        for first in (0..height * width).step_by(tile) {
            let rows = tile.min(height * width - first);
            self.start(&mut out, other, first..first + rows, width);
            let out = &mut out[first * conv.outputs..];
            let left = if direct {
                &map.data[first * depth..(first + rows) * depth]
            } else {
                let patches = &mut patches[..rows * depth];
                self.unfold(patches, map, first, width);
                &*patches
            };
            multiply_add(out, left, &conv.weights, Product { rows, inner: depth, columns: conv.outputs });
            if self.step.relu {
                out.iter_mut().for_each(|value| *value = value.max(0.0));
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((height, width, conv.outputs))))
    }

    /// Appends what the product is added to: the bias, and `other` where there is one.
    fn start(&self, out: &mut Vec<f32>, other: Option<Map>, pixels: Range<usize>, width: usize) {
        let bias = &self.conv.bias;
        let Some(other) = other else {
            pixels.for_each(|_| out.extend_from_slice(bias));
            return;
        };
        let shrink = if other.width == width { 1 } else { 2 };
        for index in pixels {
            let (y, x) = (index / width / shrink, index % width / shrink);
            let added = &other.data[(y * other.width + x) * bias.len()..][..bias.len()];
            out.extend(bias.iter().zip(added).map(|(bias, added)| bias + added));
        }
    }

    /// Writes the patch of each output pixel from `first` on as one row. A patch's rows are contiguous in a
    /// channels-last map, so each is one copy.
    fn unfold(&self, patches: &mut [f32], map: Map, first: usize, out_width: usize) {
        let Conv { kernel: [kernel_y, kernel_x], inputs, .. } = *self.conv;
        let [pad_y, pad_x] = self.conv.padding();
        let length = kernel_x * inputs;
        for (index, patch) in (first..).zip(patches.chunks_exact_mut(kernel_y * length)) {
            let top = (index / out_width * self.step.stride[0]) as isize - pad_y as isize;
            let left = (index % out_width * self.step.stride[1]) as isize - pad_x as isize;
            for (row, y) in patch.chunks_exact_mut(length).zip(top..) {
                if !(0..map.height as isize).contains(&y) {
                    row.fill(0.0);
                    continue;
                }
                let line = &map.data[y as usize * map.width * inputs..][..map.width * inputs];
                if left >= 0 && left as usize + kernel_x <= map.width {
                    row.copy_from_slice(&line[left as usize * inputs..][..length]);
                } else {
                    copy_clipped(row, line, left * inputs as isize);
                }
            }
        }
    }
}

/// Copies `line[start..]` to `row`, zeros where that lies outside the line.
fn copy_clipped(row: &mut [f32], line: &[f32], start: isize) {
    for (value, index) in row.iter_mut().zip(start..) {
        *value = usize::try_from(index).ok().and_then(|index| line.get(index)).copied().unwrap_or(0.0);
    }
}

impl CustomOp1 for Applied<'_> {
    fn name(&self) -> &'static str {
        "channels-last convolution"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.run(Map::of(storage, layout)?, None)
    }
}

impl CustomOp2 for Applied<'_> {
    fn name(&self) -> &'static str {
        "channels-last convolution and addition"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        self.run(Map::of(s1, l1)?, Some(Map::of(s2, l2)?))
    }
}

#[cfg(test)]
mod tests;
