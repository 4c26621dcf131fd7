//! libFuzzer's entry into the target `message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shenfen_fuzz::targets::message::check(bytes));
