//! A whole connection with a drive, signed requests and batches included.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_server::session::fuzz::fuzz_session);
});
