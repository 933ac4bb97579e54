//! Answers to requests beyond the protocol.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_client::fuzz::fuzz_extensions);
});
