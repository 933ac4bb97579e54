//! All metrics of a drive.

use super::engine;
use super::health::Health;
use super::text::{Kind, Text};
use super::traffic::{self, Present};
use crate::device::Device;

/// The text of now.
#[must_use]
pub fn scrape(device: &Device, present: &Present) -> String {
    let mut text = Text::default();
    info(&mut text, device);
    state(&mut text, Health::of(device));
    traffic::write(&mut text, device, present);
    if let Some(store) = device.store() {
        engine::write(&mut text, &store);
    }
    host(&mut text, device);
    text.finish()
}

fn info(text: &mut Text, device: &Device) {
    let sealed = match device.medium.is_sealed() {
        true => "yes",
        false => "no",
    };
    let help = "1, with the program and the drive in its labels.";
    let mut family = text.family(Kind::Gauge, "kinetic_build_info", help);
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("source_hash", env!("KINETIC_SOURCE_HASH")),
        ("source_date", env!("KINETIC_SOURCE_DATE")),
        ("serial_number", &device.names.serial_number),
        ("sealed", sealed),
    ];
    family.sample(&labels, 1);
}

fn state(text: &mut Text, now: Health) {
    let help = "1 for the state that the drive is in, 0 for all others.";
    let mut family = text.family(Kind::Gauge, "kinetic_drive_state", help);
    for state in Health::NAMES {
        let is = u8::from(now.name() == *state);
        family.sample(&[("state", state)], is);
    }
}

/// Load and temperatures of the host, as it was last looked at.
fn host(text: &mut Text, device: &Device) {
    let vitals = device.vitals();
    let help = "Share of time or speed that a part of the host was used, from 0 to 1.";
    let mut family = text.family(Kind::Gauge, "kinetic_host_utilization_ratio", help);
    for one in vitals.utilizations() {
        let part = one.name.unwrap_or_default();
        family.sample(&[("part", &part)], one.value.unwrap_or_default());
    }
    let sensed = vitals.temperatures().into_iter();
    let sensed: Vec<(String, f32)> = sensed
        // 0 is none: see there.
        .filter_map(|one| Some((one.name?, one.current.filter(|now| *now != 0.0)?)))
        .collect();
    if sensed.is_empty() {
        return;
    }
    let help = "Temperature of a part of the host that has a sensor.";
    let mut family = text.family(Kind::Gauge, "kinetic_host_temperature_celsius", help);
    for (part, current) in sensed {
        family.sample(&[("part", &part)], current);
    }
}
