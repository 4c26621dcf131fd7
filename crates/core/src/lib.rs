//! What a resident identity card means: ID numbers, regions, dates, fields, findings and the decision over them.
//!
//! No I/O, no async and no clock in here: today's date is an argument, so every rule can be tested for any day.

pub mod finding;
pub mod reading;
pub mod result;

pub use finding::{Finding, Severity};
pub use reading::{Candidate, FieldName, Point, Quality, Quad, ReadCard, ReadChar, ReadField, Rotation, Side};
pub use result::{CardResult, Decision, Elapsed, FieldResult, ModelInfo, PictureResult, Status};
