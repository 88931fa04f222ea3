//! Feeds `known` from libFuzzer; what it does stands in `fuzz/src/known.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airiskguard_gateway_fuzz::known::run(data));
