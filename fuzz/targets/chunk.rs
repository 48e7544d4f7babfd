//! Any bytes as a chunk of samples.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::chunk::chunk(bytes));
