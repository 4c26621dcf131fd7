//! libFuzzer's entry into the target `body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shenfen_fuzz::targets::body::check(bytes));
