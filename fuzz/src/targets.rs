//! The targets, a file each.

pub mod archive;
pub mod authorization;
pub mod body;
pub mod id_number;
pub mod jpeg;
pub mod manifest;
pub mod message;
pub mod picture;
