//! Any bytes as the files of a journal.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::journal::journal_recovery(bytes));
