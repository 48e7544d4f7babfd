//! Any text as PromQL.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::promql::promql(bytes));
