//! Any bytes as OTLP JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::wire::otlp_json(bytes));
