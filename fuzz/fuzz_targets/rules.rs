//! Feeds `rules` from libFuzzer; what it does stands in `fuzz/src/rules.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airiskguard_gateway_fuzz::rules::run(data));
