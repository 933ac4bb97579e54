//! The list of identities that a drive publishes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_client::fuzz::fuzz_acls);
});
