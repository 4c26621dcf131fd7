//! The networks' files: embedded or from a folder, checked against their sums, and built into networks.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use shenfen_core::ModelInfo;

use crate::error::ModelError;
use crate::net::conv::Scratch;
use crate::net::fpn::Fpn;
use crate::net::recogniser::{Recogniser, STRIP_HEIGHT};
use crate::net::tensors::Tensors;

/// The files compiled into the binary, by path below `models/`.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The list of sums, below the models' folder.
const SUMS: &str = "SHA256SUMS";
/// The only format of configs and networks that this version knows.
const FORMAT: u32 = 1;
/// Channels that come out of the locator.
const LOCATOR_CHANNELS: usize = 16;
/// Channels that come out of the line detector.
const LINES_CHANNELS: usize = 10;

/// A network's facts, from its `config.json`. The trainer writes more keys; those only it needs are left out here.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    format: u32,
    version: String,
    /// The probability from which a peak or a cell counts.
    #[serde(alias = "centre_threshold")]
    pub(crate) threshold: f32,
    /// What logits are divided by before the softmax.
    #[serde(default = "one")]
    pub(crate) temperature: f32,
    /// The stage at whose size an FPN's output comes out.
    #[serde(default)]
    output_stage: usize,
    /// How the product of a field's probabilities becomes its confidence.
    #[serde(default)]
    pub(crate) calibration: Calibration,
}

/// Confidence = sigmoid(scale * logit(product) + bias).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(crate) struct Calibration {
    pub(crate) scale: f32,
    pub(crate) bias: f32,
}

impl Default for Calibration {
    fn default() -> Calibration {
        Calibration { scale: 1.0, bias: 0.0 }
    }
}

fn one() -> f32 {
    1.0
}

/// An FPN with its config.
pub(crate) struct DetectorModel {
    pub(crate) network: Fpn,
    pub(crate) config: Config,
}

/// The recogniser with its config and its charset.
pub(crate) struct RecogniserModel {
    pub(crate) network: Recogniser,
    pub(crate) config: Config,
    /// Class i is the i-th character.
    pub(crate) charset: Vec<char>,
}

/// The three networks, read-only and shared by all readers.
pub struct Models {
    info: ModelInfo,
    pub(crate) locator: DetectorModel,
    pub(crate) lines: DetectorModel,
    pub(crate) recogniser: RecogniserModel,
}

impl Models {
    /// The networks compiled into the binary.
    ///
    /// # Errors
    /// When the binary was built without them, or they do not fit this version.
    pub fn embedded() -> Result<Arc<Models>, ModelError> {
        if EMBEDDED.is_empty() {
            return Err(ModelError::NotEmbedded);
        }
        Models::from_files(&|file| {
            let found = EMBEDDED.iter().find(|(path, _)| *path == file);
            found.map(|(_, bytes)| Cow::Borrowed(*bytes)).ok_or_else(|| ModelError::Missing { file: file.into() })
        })
    }

    /// The networks in a folder laid out like `models/`, each file checked against the folder's `SHA256SUMS`.
    ///
    /// # Errors
    /// When a file is missing, unreadable, not the one whose sum is listed, or does not fit this version.
    pub fn load(folder: &Path) -> Result<Arc<Models>, ModelError> {
        Models::from_files(&|file| {
            let path = folder.join(file);
            std::fs::read(&path).map(Cow::Owned).map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => ModelError::Missing { file: path.display().to_string() },
                _ => ModelError::Io { path, source },
            })
        })
    }

    /// Which networks these are. The version names each network's own when they differ.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The locator alone.
    pub fn locator(&self) -> &Fpn {
        &self.locator.network
    }

    /// The line detector alone.
    pub fn line_detector(&self) -> &Fpn {
        &self.lines.network
    }

    /// The recogniser alone.
    pub fn recogniser(&self) -> &Recogniser {
        &self.recogniser.network
    }

    fn from_files(open: &Open) -> Result<Arc<Models>, ModelError> {
        let sums = open(SUMS)?;
        let files = Files { open, sums: String::from_utf8_lossy(&sums) };
        let locator = files.detector_model("locator", [3, LOCATOR_CHANNELS])?;
        let lines = files.detector_model("lines", [1, LINES_CHANNELS])?;
        let recogniser = files.recogniser_model("recogniser")?;
        let versions: BTreeSet<_> = [&locator.config, &lines.config, &recogniser.config].map(|c| &*c.version).into();
        let info = ModelInfo {
            name: "shenfen".into(),
            version: versions.into_iter().collect::<Vec<_>>().join("+"),
            sha256: hexadecimal(&Sha256::digest(&sums)),
        };
        Ok(Arc::new(Models { info, locator, lines, recogniser }))
    }
}

/// Gives a file's bytes by its path below the models' folder.
type Open<'a> = dyn Fn(&str) -> Result<Cow<'static, [u8]>, ModelError> + 'a;

/// The files of a model set, each checked against its sum as it is opened.
struct Files<'a> {
    open: &'a Open<'a>,
    sums: Cow<'a, str>,
}

impl Files<'_> {
    fn read(&self, network: &str, name: &str) -> Result<Cow<'static, [u8]>, ModelError> {
        let file = format!("{network}/{name}");
        let bytes = (self.open)(&file)?;
        let listed = self.sums.lines().find_map(|line| {
            let (sum, path) = line.split_once(char::is_whitespace)?;
            (path.trim_start_matches([' ', '*']) == file).then_some(sum)
        });
        match listed {
            Some(sum) if sum.eq_ignore_ascii_case(&hexadecimal(&Sha256::digest(&bytes))) => Ok(bytes),
            _ => Err(ModelError::Sum { file }),
        }
    }

    fn config(&self, network: &'static str) -> Result<Config, ModelError> {
        let bytes = self.read(network, "config.json")?;
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|source| ModelError::Config { file: format!("{network}/config.json"), source })?;
        if config.format != FORMAT {
            return Err(ModelError::Format { network, format: config.format, known: FORMAT });
        }
        Ok(config)
    }

    fn tensors(&self, network: &'static str) -> Result<Tensors, ModelError> {
        let bytes = self.read(network, "model.safetensors")?;
        let tensors =
            candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| ModelError::shape(network, e))?;
        Ok(Tensors::new(network, tensors))
    }

    fn detector_model(
        &self,
        network: &'static str,
        [inputs, outputs]: [usize; 2],
    ) -> Result<DetectorModel, ModelError> {
        let config = self.config(network)?;
        let fpn = Fpn::new(&self.tensors(network)?, config.output_stage)?;
        // One pass over a small picture meets every layer, so a misfit shows here and not in the first job.
        let probe = Tensor::zeros((64, 64, inputs), DType::F32, &Device::Cpu)
            .and_then(|probe| fpn.forward(&probe, &Scratch::default()))
            .map_err(|e| ModelError::shape(network, e))?;
        let side = 64 >> (config.output_stage + 1);
        if probe.dims() != [side, side, outputs] {
            return Err(ModelError::shape(network, format!("its map is {:?}", probe.dims())));
        }
        Ok(DetectorModel { network: fpn, config })
    }

    fn recogniser_model(&self, network: &'static str) -> Result<RecogniserModel, ModelError> {
        let config = self.config(network)?;
        let recogniser = Recogniser::new(&self.tensors(network)?)?;
        let charset = parse_charset(&String::from_utf8_lossy(&self.read(network, "charset.txt")?))
            .ok_or_else(|| ModelError::shape(network, "a line of charset.txt is not one character"))?;
        let seen = Tensor::zeros((STRIP_HEIGHT, 32, 1), DType::F32, &Device::Cpu)
            .and_then(|probe| recogniser.forward(&probe, &Scratch::default()))
            .map_err(|e| ModelError::shape(network, e))?;
        if seen.centres.len() != 8 || recogniser.width() != recogniser.classifier().features() {
            return Err(ModelError::shape(network, "features and classifier differ"));
        }
        if charset.len() != recogniser.classifier().classes() || charset.is_empty() {
            let classes = recogniser.classifier().classes();
            return Err(ModelError::shape(network, format!("{} characters for {classes} classes", charset.len())));
        }
        Ok(RecogniserModel { network: recogniser, config, charset })
    }
}

/// One character a line; `None` when a line holds none or several.
fn parse_charset(text: &str) -> Option<Vec<char>> {
    text.lines()
        .map(|line| {
            let mut chars = line.chars();
            chars.next().filter(|_| chars.next().is_none())
        })
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
