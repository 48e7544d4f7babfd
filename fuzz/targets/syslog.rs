//! Any bytes as a stream of syslog messages.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::shipped::syslog(bytes));
