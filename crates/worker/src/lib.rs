//! The composition: pictures in, stored results out, as fast as the cores allow and through any crash.

pub mod source;

mod panics;
mod picture;

pub mod backfill;
mod ordered;
mod readers;

pub use backfill::{Backfill, BackfillError, Ended, Event, Report, Settings};
pub use ordered::read_in_order;
pub use panics::silence_panics;
pub use picture::{CardPictures, PictureReader, ReadFile, read_file, read_picture};
pub use source::{Found, PictureRef, Source, SourceError};
