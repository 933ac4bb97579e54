//! A filter, and its keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_store::run::format::filter::fuzz_filter);
});
