//! Any bytes as Zipkin JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::wire::zipkin(bytes));
