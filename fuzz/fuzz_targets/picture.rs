//! libFuzzer's entry into the target `picture`.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // A decoder may panic: the crate answers with an error. libFuzzer's hook would end the process before that.
    init: std::panic::set_hook(Box::new(|_| ())),
    |bytes: &[u8]| shenfen_fuzz::targets::picture::check(bytes)
);
