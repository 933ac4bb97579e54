//! `power`: how awake drives are.
//!
//! Guarantees: a drive is put to sleep or ended after consent only. Not here: starting one.

use kinetic_client::Client;
use kinetic_client::schema::command::PowerLevel;

use super::fleet::{Record, agree, each};
use crate::args::{GlobalArgs, PowerArg, PowerArgs};
use crate::failure::Failure;
use crate::output::Output;

pub(in crate::commands) async fn power(
    global: &GlobalArgs,
    args: PowerArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let Some(level) = args.level else {
        let work = |client: Client| async move { Ok(shown(&client)) };
        return each(global, output, "", work).await;
    };
    let (question, done) = match level {
        PowerArg::On => (None, "on"),
        PowerArg::Hibernate => (
            Some("Until they are on again they serve nobody. Put to sleep"),
            "hibernates",
        ),
        PowerArg::Shutdown => (
            Some("Only who can start them can have them back. Shut down"),
            "shut down",
        ),
    };
    if let Some(question) = question {
        agree(global, &args.consent, question)?;
    }
    let work = move |client: Client| async move {
        let set = client.set_power_level(level.into()).await;
        set.map_err(Failure::of("power"))?;
        Ok(Record::default())
    };
    each(global, output, done, work).await
}

/// What the drive said of itself when it was connected to; that takes no permission.
fn shown(client: &Client) -> Record {
    let level = client.configuration().current_power_level;
    let name = match level.and_then(|number| PowerLevel::try_from(number).ok()) {
        Some(PowerLevel::Operational) => "on",
        Some(PowerLevel::Hibernate) => "hibernates",
        Some(PowerLevel::Shutdown) => "shut down",
        Some(PowerLevel::Fail) => "failed",
        // Drives of protocol 3.x do not tell.
        Some(PowerLevel::InvalidLevel) | None => "unknown",
    };
    Record {
        fields: vec![("power", name.into())],
        ..Record::default()
    }
}
