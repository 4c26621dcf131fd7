//! What both networks are built from.

use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Module, VarBuilder};

use crate::net::{FeatureMap, Scratch};

/// How far the results of a convolution are apart in its input.
#[derive(Clone, Copy)]
pub(super) enum Stride {
    /// As near as the input's pixels.
    One,
    /// Every second row and column.
    Two,
    /// Every second row, every column.
    Rows,
}

/// A convolution with its bias, and its name.
pub(super) struct Conv {
    name: String,
    conv: Conv2d,
    /// Zeros above and below, left and right.
    padding: [usize; 2],
    stride: Stride,
}

impl Conv {
    /// The convolution at the builder's prefix. An odd kernel is padded by half its size, an even one is not.
    pub(super) fn load(network: &str, builder: &VarBuilder, stride: Stride) -> Result<Conv> {
        let (weight, bias) = (builder.get_unchecked("weight")?, builder.get_unchecked("bias")?);
        let (_, _, height, width) = weight.dims4()?;
        let padding = [height, width].map(|size| if size % 2 == 1 { size / 2 } else { 0 });
        let both = if matches!(stride, Stride::Two) { 2 } else { 1 };
        let config = Conv2dConfig { stride: both, ..Conv2dConfig::default() };
        let name = format!("{network}.{}", builder.prefix());
        Ok(Conv { name, conv: Conv2d::new(weight, Some(bias), config), padding, stride })
    }

    /// How many channels come out.
    pub(super) fn outputs(&self) -> usize {
        self.conv.weight().dims()[0]
    }

    /// The layer's results without activation.
    pub(super) fn plain(&self, x: &Tensor, scratch: &Scratch) -> Result<Tensor> {
        self.observed(self.convolved(x, scratch)?, scratch)
    }

    /// The layer's results through a ReLU.
    pub(super) fn relu(&self, x: &Tensor, scratch: &Scratch) -> Result<Tensor> {
        self.observed(self.convolved(x, scratch)?.relu()?, scratch)
    }

    /// The layer's results plus `other`.
    pub(super) fn plus(&self, x: &Tensor, other: &Tensor, scratch: &Scratch) -> Result<Tensor> {
        self.observed((self.convolved(x, scratch)? + other)?, scratch)
    }

    /// The layer's results plus `other` through a ReLU.
    pub(super) fn plus_relu(&self, x: &Tensor, other: &Tensor, scratch: &Scratch) -> Result<Tensor> {
        self.observed((self.convolved(x, scratch)? + other)?.relu()?, scratch)
    }

    fn convolved(&self, x: &Tensor, scratch: &Scratch) -> Result<Tensor> {
        let [above, left] = self.padding;
        let out = self.conv.forward(&x.pad_with_zeros(2, above, above)?.pad_with_zeros(3, left, left)?)?;
        let (_, _, height, _) = out.dims4()?;
        let out = match self.stride {
            Stride::One | Stride::Two => out,
            // candle's convolutions have one stride for both directions.
            Stride::Rows => out.index_select(&Tensor::arange_step(0, height as u32, 2, out.device())?, 2)?,
        };
        scratch.count_products(out.elem_count() * self.conv.weight().elem_count() / self.outputs().max(1));
        Ok(out)
    }

    fn observed(&self, out: Tensor, scratch: &Scratch) -> Result<Tensor> {
        if !scratch.is_observed() {
            return Ok(out);
        }
        let mut map = to_map(&out)?;
        scratch.observe_output(&self.name, &mut map);
        to_tensor(&map, out.device())
    }
}

/// relu(x + conv2(relu(conv1(x)))).
pub(super) struct Residual {
    conv1: Conv,
    conv2: Conv,
}

impl Residual {
    /// The blocks `0`, `1`, ... at the builder's prefix, as far as there are any.
    pub(super) fn all(network: &str, builder: &VarBuilder) -> Result<Vec<Residual>> {
        let block = |number: usize| builder.pp(number);
        (0..)
            .map(block)
            .take_while(|block| block.contains_tensor("conv1.weight"))
            .map(|block| {
                Ok(Residual {
                    conv1: Conv::load(network, &block.pp("conv1"), Stride::One)?,
                    conv2: Conv::load(network, &block.pp("conv2"), Stride::One)?,
                })
            })
            .collect()
    }

    /// All `blocks`, one after another.
    pub(super) fn chain(blocks: &[Residual], x: Tensor, scratch: &Scratch) -> Result<Tensor> {
        blocks.iter().try_fold(x, |x, block| {
            let inner = block.conv1.relu(&x, scratch)?;
            block.conv2.plus_relu(&inner, &x, scratch)
        })
    }
}

/// [height, width, channels] -> [1, channels, height, width].
pub(super) fn to_tensor(map: &FeatureMap, device: &candle_core::Device) -> Result<Tensor> {
    let [height, width, channels] = map.shape();
    Tensor::from_slice(map.values(), (height, width, channels), device)?.permute((2, 0, 1))?.unsqueeze(0)?.contiguous()
}

/// [1, channels, height, width] -> [height, width, channels].
pub(super) fn to_map(tensor: &Tensor) -> Result<FeatureMap> {
    let last = tensor.squeeze(0)?.permute((1, 2, 0))?.contiguous()?;
    let (height, width, channels) = last.dims3()?;
    FeatureMap::new([height, width, channels], last.flatten_all()?.to_vec1()?).map_err(candle_core::Error::wrap)
}
