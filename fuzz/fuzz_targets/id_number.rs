//! libFuzzer's entry into the target `id_number`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shenfen_fuzz::targets::id_number::check(bytes));
