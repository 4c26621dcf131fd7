//! libFuzzer's entry into the target `archive`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shenfen_fuzz::targets::archive::check(bytes));
