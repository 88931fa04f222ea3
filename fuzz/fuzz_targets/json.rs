//! Feeds `json` from libFuzzer; what it does stands in `fuzz/src/json.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airiskguard_gateway_fuzz::json::run(data));
