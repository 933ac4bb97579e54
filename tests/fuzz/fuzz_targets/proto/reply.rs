//! Answers written from borrowed parts, beside prost.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kinetic_fuzz::in_time(bytes, kinetic_proto::reply::fuzz_reply);
});
