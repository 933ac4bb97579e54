//! The first block of a zone.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_store::layout::zone_header::fuzz_zone_header);
});
