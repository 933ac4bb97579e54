//! The payload of a leaf.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_store::run::format::leaf::fuzz_leaf);
});
