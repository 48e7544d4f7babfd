//! Any bytes as an OTLP request.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::wire::otlp_scan(bytes));
