//! Captured PDUs, as `kinetic debug pdu` takes them apart.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_client::fuzz::fuzz_pdu);
});
