//! Any bytes as a bulk request of Elasticsearch's.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::shipped::elasticsearch_bulk(bytes));
