//! Fuzz targets for every parser of bytes that come from outside; README.md says how to run and extend them.
//!
//! A target is a function that takes any bytes and panics where the parser breaks a promise. libFuzzer drives it in
//! campaigns, [`mutation`] drives it for a fixed number of inputs in the ordinary tests.

pub mod mutation;
pub mod targets;
