//! SET_POWER_LEVEL: sends the drive to sleep, wakes it, or ends it.
//!
//! Guarantees: before a drive sleeps or ends, all that was queued is on the disk; where that cannot
//! be had it stays as it was, and says so. A start is OPERATIONAL, whatever was before it.
//! Not here: what is refused meanwhile (`session`), and the end itself (`net`).

use kinetic_proto::StatusCode;
use kinetic_proto::schema::command::PowerManagement;
use kinetic_store::Store;

use super::answer::Answer;
use super::invalid::Invalid;
use super::status::locked;
use crate::auth::{Grant, grant};
use crate::device::{Device, PowerLevel};

/// A SET_POWER_LEVEL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetPower(PowerLevel);

impl SetPower {
    /// Reads the one field that it has. FAIL is a level that a drive may report, and nobody sets.
    pub fn parse(power: Option<PowerManagement>) -> Result<Self, Invalid> {
        let number = power.and_then(|power| power.level);
        let level = number.and_then(PowerLevel::from_wire);
        level.map(Self).ok_or(Invalid::PowerLevel(number))
    }
}

/// Does it. Waits for the disk.
#[must_use]
pub fn run(_grant: &Grant<grant::PowerManagement>, request: SetPower, device: &Device) -> Answer {
    let Some(store) = device.store() else {
        return Answer::of(locked());
    };
    let SetPower(level) = request;
    let before = device.power();
    // First of all, so that nothing is begun behind what is made durable.
    device.set_power(level);
    if level != PowerLevel::Operational && !store.settle() {
        device.set_power(before);
        let text = "the drive stays as it is: what was written could not be made durable";
        return Answer::of(StatusCode::INTERNAL_ERROR.with_text(text));
    }
    rest(&store, level);
    tracing::info!(?level, "the power level was set");
    device.messages.note(&format!("power level: {level}"));
    if level == PowerLevel::Shutdown {
        device.ask_to_stop();
    }
    Answer::success()
}

/// Whether upkeep and scrub rest.
fn rest(store: &Store, level: PowerLevel) {
    match level {
        PowerLevel::Hibernate => store.rest(),
        PowerLevel::Operational | PowerLevel::Shutdown => store.wake(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_nobody_can_set_is_refused_by_its_number() {
        let parse = |level| SetPower::parse(Some(PowerManagement { level }));
        for (number, level) in [
            (1, PowerLevel::Operational),
            (2, PowerLevel::Hibernate),
            (3, PowerLevel::Shutdown),
        ] {
            assert_eq!(parse(Some(number)), Ok(SetPower(level)));
        }
        for number in [None, Some(-1), Some(0), Some(4), Some(5)] {
            assert_eq!(parse(number), Err(Invalid::PowerLevel(number)));
        }
        assert_eq!(SetPower::parse(None), Err(Invalid::PowerLevel(None)));
    }
}
