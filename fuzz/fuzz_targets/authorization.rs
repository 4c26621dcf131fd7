//! libFuzzer's entry into the target `authorization`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shenfen_fuzz::targets::authorization::check(bytes));
