//! libFuzzer's entry into the target `manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shenfen_fuzz::targets::manifest::check(bytes));
