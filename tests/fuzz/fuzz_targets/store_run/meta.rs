//! A run as the manifest has it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_store::run::format::meta::fuzz_run_meta);
});
