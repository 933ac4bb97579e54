//! The borrowed view of a Message beside prost.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_proto::envelope::fuzz_message_view);
});
