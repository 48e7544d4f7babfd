//! Any text as LogQL.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::logql::logql(bytes));
