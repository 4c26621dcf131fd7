//! The convolution of this crate against candle's own.

fn main() {}
