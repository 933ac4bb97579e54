//! What a drive sends to a client that waits for answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_client::fuzz::fuzz_answers);
});
