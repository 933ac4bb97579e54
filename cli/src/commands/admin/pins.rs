//! `pin set` and `pin clear`.
//!
//! Guarantees: a new PIN that is typed is typed twice; an empty one is refused, since it would
//! clear the PIN. Not here: using a PIN (`locks`).

use kinetic_client::{Client, PinKind};

use super::fleet::{Record, agree, each};
use crate::args::{ClearPinArgs, GlobalArgs, PinArgs, PinCommand, PinKindArg, SetPinArgs};
use crate::failure::Failure;
use crate::output::Output;
use crate::secrets::{ask, given_pin};

pub(in crate::commands) async fn pin(
    global: &GlobalArgs,
    command: PinCommand,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        PinCommand::Set(args) => set(global, args, output).await,
        PinCommand::Clear(args) => clear(global, args, output).await,
    }
}

fn name(kind: PinKindArg) -> &'static str {
    match kind {
        PinKindArg::Lock => "lock PIN",
        PinKindArg::Erase => "erase PIN",
    }
}

async fn set(global: &GlobalArgs, args: SetPinArgs, output: &mut Output) -> Result<(), Failure> {
    let name = name(args.kind);
    let question = match args.kind {
        PinKindArg::Lock => "Without this PIN their data cannot be read after a restart. Set it on",
        PinKindArg::Erase => "Without this PIN they cannot be erased. Set it on",
    };
    agree(global, &args.consent, question)?;
    let current = current(&args.current, name)?;
    let new = new_pin(&args, name)?;
    change(global, output, (args.kind.into(), current, new)).await
}

async fn clear(
    global: &GlobalArgs,
    args: ClearPinArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let name = name(args.kind);
    agree(global, &args.consent, &format!("Clear the {name} of"))?;
    let current = current(&args.current, name)?;
    change(global, output, (args.kind.into(), current, Vec::new())).await
}

async fn change(
    global: &GlobalArgs,
    output: &mut Output,
    (kind, current, new): (PinKind, Option<Vec<u8>>, Vec<u8>),
) -> Result<(), Failure> {
    let done = if new.is_empty() { "cleared" } else { "set" };
    let work = move |client: Client| {
        let mut change = client.set_pin(kind, new.clone());
        if let Some(current) = &current {
            change = change.current(current.clone());
        }
        async move {
            change.await.map_err(Failure::of_pin("pin"))?;
            Ok(Record::default())
        }
    };
    each(global, output, done, work).await
}

/// The PIN that is set now; `None` where nobody names one.
fn current(args: &PinArgs, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    let given = given_pin(args.pin_file.as_ref(), args.environment_pin.as_ref())?;
    let prompt = format!("Present {name}, empty if none is set: ");
    let pin = match given {
        Some(pin) => Some(pin),
        None => ask(&prompt).transpose()?,
    };
    Ok(pin.filter(|pin| !pin.is_empty()))
}

fn new_pin(args: &SetPinArgs, name: &str) -> Result<Vec<u8>, Failure> {
    let environment = args.environment_new_pin.as_ref();
    let pin = match given_pin(args.new_pin_file.as_ref(), environment)? {
        Some(pin) => pin,
        None => typed_twice(name)?,
    };
    if pin.is_empty() {
        let text = format!("an empty {name} is none; `kinetic pin clear` clears it");
        return Err(Failure::Usage(text));
    }
    Ok(pin)
}

fn typed_twice(name: &str) -> Result<Vec<u8>, Failure> {
    let asked = [format!("New {name}: "), format!("New {name} again: ")];
    let [first, again] = asked.map(|prompt| ask(&prompt).transpose());
    match (first?, again?) {
        (Some(first), Some(again)) if first == again => Ok(first),
        (Some(_), Some(_)) => Err(Failure::Usage(
            "nothing was done: the two are not the same".to_owned(),
        )),
        _ => Err(Failure::Usage(
            "a new PIN is needed: --new-pin-file FILE, KINETIC_NEW_PIN, or a terminal to ask on"
                .to_owned(),
        )),
    }
}
