//! The borrowed views of a Command beside prost.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_proto::envelope::fuzz_command_view);
});
