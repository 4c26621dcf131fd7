//! What a resident identity card means: ID numbers, regions, dates, fields, findings and the decision over them.
//!
//! No I/O, no async and no clock in here: today's date is an argument, so every rule can be tested for any day.

pub mod assess;
pub mod card_validity;
pub mod columns;
mod constraint;
mod cross;
pub mod document;
pub mod field;
pub mod finding;
pub mod gender;
pub mod id_number;
pub mod job;
mod mask;
mod masking;
pub mod outcome;
pub mod policy;
pub mod reading;
pub mod region;
pub mod result;
pub mod rule;
pub mod tenant;

pub use assess::{Assessment, assess, assess_with};
pub use card_validity::CardValidity;
pub use columns::CardColumns;
pub use constraint::parameters::Parameters;
pub use document::DocumentType;
pub use finding::{Finding, Severity};
pub use gender::Gender;
pub use id_number::{Holder, IdNumber, IdNumberError};
pub use job::{InvalidJobId, Job, JobId, JobKey, RequestedSide, UnknownSide};
pub use outcome::{ReadOutcome, ReaderFault, Refusal};
pub use policy::{Policy, PolicyError, PolicyInfo, Reconsidered};
pub use reading::{Candidate, FieldName, Point, Quad, Quality, ReadCard, ReadChar, ReadField, Rotation, Side};
pub use region::{Place, Region};
pub use result::{CardResult, Decision, Elapsed, FieldResult, ModelInfo, PictureResult, Status};
pub use rule::{Rule, UnknownRule};
pub use tenant::{InvalidTenant, Tenant};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;
