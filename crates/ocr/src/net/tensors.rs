//! The weights of a network as its file holds them.

use safetensors::{Dtype, SafeTensors};

use super::conv::Conv;
use super::recogniser::Classifier;
use crate::error::ModelError;

/// The tensors of one network by name.
pub(crate) struct Tensors<'a> {
    network: &'static str,
    file: SafeTensors<'a>,
}

/// Numbers with a shape, the last dimension contiguous.
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl<'a> Tensors<'a> {
    /// Opens the bytes of a safetensors file.
    ///
    /// # Errors
    /// When they are not one.
    pub(crate) fn open(network: &'static str, bytes: &'a [u8]) -> Result<Tensors<'a>, ModelError> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| ModelError::shape(network, error))?;
        Ok(Tensors { network, file })
    }

    /// The network whose weights these are.
    pub(crate) fn network(&self) -> &'static str {
        self.network
    }

    /// Whether there are weights for this layer.
    pub(crate) fn has(&self, layer: &str) -> bool {
        self.file.tensor(&format!("{layer}.weight")).is_ok()
    }

    /// The convolution `layer.weight`, `layer.bias`.
    ///
    /// # Errors
    /// When one of them is missing, of another type than `F16` and `F32`, or does not fit the other.
    pub(crate) fn conv(&self, layer: &str) -> Result<Conv, ModelError> {
        let (weight, bias) = (self.get(layer, "weight")?, self.get(layer, "bias")?);
        let shape = self.shape(layer, &weight)?;
        Conv::new(format!("{}.{layer}", self.network), shape, &weight.values, &bias.values)
            .map_err(|error| ModelError::shape(self.network, error))
    }

    /// The linear layer `layer.weight`, `layer.bias`.
    ///
    /// # Errors
    /// When one of them is missing, of another type than `F16` and `F32`, or does not fit the other.
    pub(crate) fn classifier(&self, layer: &str) -> Result<Classifier, ModelError> {
        let (weight, bias) = (self.get(layer, "weight")?, self.get(layer, "bias")?);
        let shape = self.shape(layer, &weight)?;
        Classifier::new(format!("{}.{layer}", self.network), shape, weight.values, bias.values)
            .map_err(|error| ModelError::shape(self.network, error))
    }

    fn shape<const N: usize>(&self, layer: &str, weight: &Tensor) -> Result<[usize; N], ModelError> {
        let misfit = || ModelError::shape(self.network, format!("{layer}.weight has the shape {:?}", weight.shape));
        weight.shape.as_slice().try_into().map_err(|_| misfit())
    }

    fn get(&self, layer: &str, part: &str) -> Result<Tensor, ModelError> {
        let name = format!("{layer}.{part}");
        let Ok(tensor) = self.file.tensor(&name) else {
            return Err(ModelError::Tensor { network: self.network, tensor: name });
        };
        let values = match tensor.dtype() {
            Dtype::F16 => tensor.data().as_chunks().0.iter().map(|&bytes| half(u16::from_le_bytes(bytes))).collect(),
            Dtype::F32 => tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            other => {
                let reason = format!("{name} is of type {other:?}, where F16 or F32 is expected");
                return Err(ModelError::shape(self.network, reason));
            }
        };
        Ok(Tensor { shape: tensor.shape().to_vec(), values })
    }
}

/// A number of 16 bits (IEEE 754 binary16), exactly.
fn half(bits: u16) -> f32 {
    let (sign, magnitude) = (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7fff) << 13);
    // The exponent begins at 2^-14 instead of 2^-126. That of infinity and of what is no number stays the largest.
    let value = if magnitude >= 0x1f << 23 {
        f32::from_bits(magnitude | 0xff << 23)
    } else {
        f32::from_bits(magnitude) * 2_f32.powi(112)
    };
    f32::from_bits(value.to_bits() | sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_half_precision_exactly() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x0001, 2_f32.powi(-24)),
            (0x03ff, 1023.0 * 2_f32.powi(-24)),
            (0x0400, 2_f32.powi(-14)),
            (0x3555, 1365.0 / 4096.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:#06x}");
        }
        assert!(half(0x7e00).is_nan());
        assert!(half(0x8000).is_sign_negative());
    }

    #[test]
    fn refuses_weights_that_are_missing_or_of_another_type() {
        let bytes = 1_u64.to_le_bytes();
        let tensor =
            |dtype| safetensors::tensor::TensorView::new(dtype, vec![1], &bytes[..dtype.bitsize() / 8]).unwrap();
        let tensors = [("a.weight", tensor(Dtype::F32)), ("a.bias", tensor(Dtype::I64))];
        let file = safetensors::serialize(tensors, None).unwrap();
        let tensors = Tensors::open("net", &file).unwrap();
        assert!(tensors.has("a") && !tensors.has("b"));
        assert!(matches!(tensors.conv("a"), Err(ModelError::Shape { reason, .. }) if reason.contains("a.bias")));
        assert!(matches!(tensors.conv("b"), Err(ModelError::Tensor { tensor, .. }) if tensor == "b.weight"));
        assert!(Tensors::open("net", &file[..20]).is_err());
    }
}
