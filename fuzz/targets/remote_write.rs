//! Any bytes as a remote write request and as OTLP metrics.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::wire::remote_write(bytes));
