//! The outcome of reading one picture: a result, a refusal, or a fault of the program.

use std::collections::BTreeMap;

use crate::card_validity::CardValidity;
use crate::finding::Finding;
use crate::result::{Decision, Elapsed, ModelInfo, PictureResult, Status};
use crate::rule::Rule;

/// What came of reading one picture.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadOutcome {
    /// The picture was decoded and searched for cards; the result's status is OK or FAIL.
    Read(PictureResult),
    /// The picture was not read, and another attempt would not change that.
    Refused(Refusal),
    /// The program failed. The picture says nothing about itself, so there is no result.
    Fault(ReaderFault),
}

impl ReadOutcome {
    /// The result to show and to store: of a refusal one with a single finding that names the reason.
    ///
    /// # Errors
    /// When the program failed.
    pub fn into_result(self, model: &ModelInfo) -> Result<PictureResult, ReaderFault> {
        match self {
            ReadOutcome::Read(result) => Ok(result),
            ReadOutcome::Refused(refusal) => Ok(refusal.into_result(model.clone())),
            ReadOutcome::Fault(fault) => Err(fault),
        }
    }
}

/// Why a picture was not read. `detail` holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The documented status.
    pub status: Status,
    /// The reason.
    pub rule: Rule,
    /// The reason as a sentence for a person.
    pub detail: String,
}

impl Refusal {
    /// A refusal for this reason, with the status that belongs to it.
    pub fn new(rule: Rule, detail: impl Into<String>) -> Refusal {
        let status = match rule {
            Rule::PictureEmpty | Rule::PictureFormat | Rule::PictureDamaged => Status::ImageInvalidFormat,
            Rule::PictureBytes | Rule::PicturePixels => Status::ImageInvalidSize,
            Rule::RequestInvalid => Status::InvalidRequest,
            Rule::Busy => Status::RetryLater,
            _ => Status::Fail,
        };
        Refusal { status, rule, detail: detail.into() }
    }

    /// The result of the picture: no card, rejected, and one finding that names the reason.
    pub fn into_result(self, model: ModelInfo) -> PictureResult {
        let Refusal { status, rule, detail } = self;
        PictureResult {
            status,
            message: BTreeMap::new(),
            cards: Vec::new(),
            findings: vec![Finding { detail, ..rule.of_card() }],
            decision: Decision::Reject,
            validity: CardValidity::Unknown,
            policy: None,
            model,
            elapsed_ms: Elapsed::default(),
        }
    }
}

/// How a reader failed. No fault of the picture, so there is no result for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReaderFault {
    /// It panicked, at this place in the code; the same picture would make it panic again.
    #[error("the reader failed at {0}")]
    Panicked(String),
    /// The networks failed, for want of memory perhaps; another attempt may succeed.
    #[error("{0}")]
    Engine(String),
    /// The picture's bytes cannot be had at the moment: a fault of the system below, which may pass.
    #[error("the picture cannot be read now: {0}")]
    Unavailable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> ModelInfo {
        ModelInfo { name: "test".into(), version: "1".into(), sha256: "0".into() }
    }

    #[test]
    fn a_refusal_becomes_a_rejected_result_that_names_the_reason() {
        let refusal = Refusal::new(Rule::PictureBytes, "the picture has 3 bytes, more than the limit of 2");
        let result = ReadOutcome::Refused(refusal).into_result(&model()).unwrap();
        assert_eq!((result.status, result.decision), (Status::ImageInvalidSize, Decision::Reject));
        assert_eq!(
            serde_json::to_string(&result.findings).unwrap(),
            r#"[{"rule":"picture_bytes","severity":"error","detail":"the picture has 3 bytes, more than the limit of 2"}]"#
        );
    }

    #[test]
    fn a_fault_has_no_result() {
        let fault = ReaderFault::Panicked("a.rs:1".into());
        assert_eq!(ReadOutcome::Fault(fault.clone()).into_result(&model()), Err(fault));
    }

    #[test]
    fn no_refusal_has_the_status_of_a_picture_that_was_read() {
        for &rule in Rule::ALL {
            assert_ne!(Refusal::new(rule, "").status, Status::Ok, "{rule}");
        }
    }
}
