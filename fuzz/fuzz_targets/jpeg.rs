//! libFuzzer's entry into the target `jpeg`.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // The reference may panic. libFuzzer's hook would end the process before that is caught.
    init: std::panic::set_hook(Box::new(|_| ())),
    |bytes: &[u8]| shenfen_fuzz::targets::jpeg::check(bytes)
);
