//! Messages read whole, and sealed again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_proto::message::fuzz_received);
});
