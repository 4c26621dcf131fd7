//! The composition: pictures in, stored results out, as fast as the cores allow and through any crash.

#[doc(hidden)]
pub mod fuzzing;
pub mod source;

mod crops;
mod panics;
mod picture;
mod today;

pub mod backfill;
pub mod feed;
mod listing;
mod ordered;
mod pool;
mod reading_queue;
pub mod service;
mod stop;

pub use backfill::{Backfill, BackfillError, Ended, Event, Report, Settings};
pub use crops::{CardCrops, crops};
pub use feed::{Feed, FeedEnd, FeedError, FeedEvent, FeedReport, FeedSettings};
pub use ordered::read_in_order;
pub use panics::silence_panics;
pub use picture::{CardPictures, PictureReader, ReadFile, read_bytes, read_file, read_picture};
pub use pool::{NoRoom, OWN, Place, PoolFull, PoolLoad, PoolSettings, ReaderPool, Returned, Room};
pub use reading_queue::{NotRead, ReadingQueue, ReadingQueueSettings};
pub use service::{Service, ServiceReport, ServiceSettings};
pub use source::{Archives, DecompressedTar, Found, PictureRef, Source, SourceError};
pub use today::Today;
