//! Frames, in pieces of all sizes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_proto::frame::fuzz_frame);
});
