//! The binary `shenfen`.
fn main() {}
