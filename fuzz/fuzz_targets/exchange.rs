//! Feeds `exchange` from libFuzzer; what it does stands in `fuzz/src/exchange.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airiskguard_gateway_fuzz::exchange::run(data));
