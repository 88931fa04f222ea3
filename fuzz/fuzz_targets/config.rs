//! Feeds `config` from libFuzzer; what it does stands in `fuzz/src/config.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airiskguard_gateway_fuzz::config::run(data));
