//! Any text as a file of rules, and one of tests behind it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::rules::rules(bytes));
