//! The networks' files: embedded or from a folder, checked against their sums, and built into networks.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use shenfen_core::ModelInfo;

use crate::contract::{self, Config, Contract, LinesConfig, LocatorConfig, RecogniserConfig};
use crate::engine::Engine;
use crate::error::ModelError;
use crate::net::{DetectorNetwork, FeatureMap, NetworkBuilder, RecogniserNetwork, Scratch, builder};

/// The files compiled into the binary, by path below `models/`.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The list of sums, below the models' folder.
const SUMS: &str = "SHA256SUMS";
/// An FPN with its config.
pub(crate) struct Detector<C> {
    pub(crate) network: Box<dyn DetectorNetwork>,
    pub(crate) version: String,
    pub(crate) config: C,
}

/// The recogniser with its config and its charset.
pub(crate) struct RecogniserModel {
    pub(crate) network: Box<dyn RecogniserNetwork>,
    pub(crate) version: String,
    pub(crate) config: RecogniserConfig,
    /// Class i is the i-th character.
    pub(crate) charset: Vec<char>,
}

/// The three networks, read-only and shared by all readers.
pub struct Models {
    info: ModelInfo,
    pub(crate) locator: Detector<LocatorConfig>,
    pub(crate) lines: Detector<LinesConfig>,
    pub(crate) recogniser: RecogniserModel,
}

impl Models {
    /// The networks compiled into the binary.
    ///
    /// # Errors
    /// When the binary was built without them, or they do not fit this version.
    pub fn embedded() -> Result<Arc<Models>, ModelError> {
        Models::embedded_for(Engine::default())
    }

    /// The networks compiled into the binary, for an engine.
    ///
    /// # Errors
    /// As [`Models::embedded`], and when this build does not have the engine or this machine not its device.
    pub fn embedded_for(engine: Engine) -> Result<Arc<Models>, ModelError> {
        if EMBEDDED.is_empty() {
            return Err(ModelError::NotEmbedded);
        }
        Models::from_files(engine, &|file| {
            let found = EMBEDDED.iter().find(|(path, _)| *path == file);
            found.map(|(_, bytes)| Cow::Borrowed(*bytes)).ok_or_else(|| ModelError::Missing { file: file.into() })
        })
    }

    /// The networks in a folder laid out like `models/`, each file checked against the folder's `SHA256SUMS`.
    ///
    /// # Errors
    /// When a file is missing, unreadable, not the one whose sum is listed, or does not fit this version.
    pub fn load(folder: &Path) -> Result<Arc<Models>, ModelError> {
        Models::load_for(Engine::default(), folder)
    }

    /// The networks in a folder laid out like `models/`, for an engine.
    ///
    /// # Errors
    /// As [`Models::load`], and when this build does not have the engine or this machine not its device.
    pub fn load_for(engine: Engine, folder: &Path) -> Result<Arc<Models>, ModelError> {
        Models::from_files(engine, &|file| {
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
    pub fn locator(&self) -> &dyn DetectorNetwork {
        &*self.locator.network
    }

    /// The line detector alone.
    pub fn line_detector(&self) -> &dyn DetectorNetwork {
        &*self.lines.network
    }

    /// The recogniser alone.
    pub fn recogniser(&self) -> &dyn RecogniserNetwork {
        &*self.recogniser.network
    }

    fn from_files(engine: Engine, open: &Open) -> Result<Arc<Models>, ModelError> {
        let builder = builder(engine)?;
        let sums = open(SUMS)?;
        let files = Files { builder: &*builder, open, sums: String::from_utf8_lossy(&sums) };
        let locator =
            files.detector(|config: &LocatorConfig| (config.inputs, config.output_stage, config.channels.count))?;
        let lines =
            files.detector(|config: &LinesConfig| (config.inputs, config.output_stage, config.channels.count))?;
        let recogniser = files.recogniser()?;
        let versions: BTreeSet<_> = [&*locator.version, &*lines.version, &*recogniser.version].into();
        let info = ModelInfo {
            name: "shenfen".into(),
            version: versions.into_iter().collect::<Vec<_>>().join("+"),
            sha256: hex::encode(Sha256::digest(&sums)),
        };
        Ok(Arc::new(Models { info, locator, lines, recogniser }))
    }
}

/// Gives a file's bytes by its path below the models' folder.
type Open<'a> = dyn Fn(&str) -> Result<Cow<'static, [u8]>, ModelError> + 'a;

/// The files of a model set, each checked against its sum as it is opened, and what builds networks of them.
struct Files<'a> {
    builder: &'a dyn NetworkBuilder,
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
            Some(sum) if sum.eq_ignore_ascii_case(&hex::encode(Sha256::digest(&bytes))) => Ok(bytes),
            _ => Err(ModelError::Sum { file }),
        }
    }

    fn config<C: Config>(&self) -> Result<Contract<C>, ModelError> {
        contract::parse(&self.read(C::NETWORK, "config.json")?)
    }

    /// A detector; `shape` gives its inputs, output stage and outputs from its config.
    fn detector<C: Config>(&self, shape: impl Fn(&C) -> (usize, usize, usize)) -> Result<Detector<C>, ModelError> {
        let network = C::NETWORK;
        let Contract { version, config } = self.config()?;
        let (inputs, output_stage, outputs) = shape(&config);
        let detector = self.builder.detector(network, &self.read(network, "model.safetensors")?, output_stage)?;
        // One pass over a small picture meets every layer, so a misfit shows here and not in the first job.
        let probe = detector
            .forward(&FeatureMap::zeros([64, 64, inputs]), &Scratch::default())
            .map_err(|error| ModelError::shape(network, error))?;
        let side = 64 >> (output_stage + 1);
        if probe.shape() != [side, side, outputs] {
            return Err(ModelError::shape(network, format!("its output is {:?}", probe.shape())));
        }
        Ok(Detector { network: detector, version, config })
    }

    fn recogniser(&self) -> Result<RecogniserModel, ModelError> {
        let network = RecogniserConfig::NETWORK;
        let Contract { version, config } = self.config::<RecogniserConfig>()?;
        let recogniser = self.builder.recogniser(network, &self.read(network, "model.safetensors")?)?;
        let charset = parse_charset(&String::from_utf8_lossy(&self.read(network, "charset.txt")?))
            .ok_or_else(|| ModelError::shape(network, "a line of charset.txt is not one character"))?;
        let width = 8 * config.step;
        let output = recogniser
            .forward(&FeatureMap::zeros([config.strip.height, width, config.inputs]), &Scratch::default())
            .map_err(|error| ModelError::shape(network, error))?;
        if output.channels.len() != width / config.step * config.channels.count {
            return Err(ModelError::shape(network, "its steps are not as wide as its config says"));
        }
        let classes = recogniser.classes();
        if classes == 0 || [charset.len(), config.classes] != [classes; 2] {
            let reason =
                format!("{} characters, {} in its config, for {classes} classes", charset.len(), config.classes);
            return Err(ModelError::shape(network, reason));
        }
        Ok(RecogniserModel { network: recogniser, version, config, charset })
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
