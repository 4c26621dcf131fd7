//! A stub reader: the "picture" says what it does. Tests of the service thus depend on the service only, and the pictures of a
//! campaign take no time.

use std::thread::sleep;
use std::time::Duration;

use shenfen_core::{CardValidity, Decision, Elapsed, ModelInfo, PictureResult, ReadOutcome, Status};
use shenfen_worker::PictureReader;

/// Ends the process, as a picture that crashes a decoder would.
pub const DEADLY: &[u8] = b"deadly";
/// Makes the reader panic.
pub const PANICKING: &[u8] = b"panicking";
/// Takes the number of milliseconds that follows it: `slow 300`.
pub const SLOW: &str = "slow ";

/// The stub reader.
#[derive(Clone)]
pub struct StubPictures {
    model: ModelInfo,
    max_bytes: usize,
}

impl Default for StubPictures {
    fn default() -> StubPictures {
        let model = ModelInfo { name: "stub".into(), version: "1".into(), sha256: "0".into() };
        StubPictures { model, max_bytes: 1 << 20 }
    }
}

impl StubPictures {
    /// The same with another limit on the bytes of a picture.
    pub fn with_max_bytes(self, max_bytes: usize) -> StubPictures {
        StubPictures { max_bytes, ..self }
    }
}

impl PictureReader for StubPictures {
    fn read(&mut self, bytes: &[u8]) -> ReadOutcome {
        match bytes {
            DEADLY => std::process::abort(),
            PANICKING => panic!("asked to"),
            _ => {}
        }
        let wait = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_prefix(SLOW)?.parse().ok());
        sleep(Duration::from_millis(wait.unwrap_or(0)));
        ReadOutcome::Read(PictureResult {
            status: Status::Ok,
            message: Default::default(),
            cards: Vec::new(),
            findings: Vec::new(),
            decision: Decision::Accept,
            model: self.model.clone(),
            validity: CardValidity::Unknown,
            policy: None,
            elapsed_ms: Elapsed::default(),
        })
    }

    fn model(&self) -> &ModelInfo {
        &self.model
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn another(&self) -> StubPictures {
        self.clone()
    }
}
