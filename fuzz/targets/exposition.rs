//! Any bytes as what a target exposes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::wire::exposition(bytes));
