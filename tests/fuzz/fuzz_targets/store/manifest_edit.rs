//! Edits of the manifest.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_store::manifest::edit::fuzz_edit);
});
