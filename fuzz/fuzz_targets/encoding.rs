//! Feeds `encoding` from libFuzzer; what it does stands in `fuzz/src/encoding.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airiskguard_gateway_fuzz::encoding::run(data));
