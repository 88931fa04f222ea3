//! Feeds `splice` from libFuzzer; what it does stands in `fuzz/src/splice.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airiskguard_gateway_fuzz::splice::run(data));
