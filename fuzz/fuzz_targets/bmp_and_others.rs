#![no_main]

mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::body(bytes));
