//! Feeds `sse` from libFuzzer; what it does stands in `fuzz/src/sse.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airiskguard_gateway_fuzz::sse::run(data));
