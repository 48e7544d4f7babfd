//! Any text as SQL.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::sql::sql_guard(bytes));
