//! Feeds `stream` from libFuzzer; what it does stands in `fuzz/src/stream.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airiskguard_gateway_fuzz::stream::run(data));
