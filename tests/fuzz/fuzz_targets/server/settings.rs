//! What the server keeps in its slots on the disk.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_server::device::settings::fuzz_settings);
});
