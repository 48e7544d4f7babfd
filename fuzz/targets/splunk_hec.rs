//! Any bytes as events of Splunk's.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::shipped::splunk_hec(bytes));
