//! Any bytes as a W3C tracestate.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::wire::tracestate(bytes));
