//! Any bytes as the files of a segment.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::segment::segment_footer(bytes));
