//! A superblock's slot.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_store::layout::superblock::fuzz_superblock);
});
