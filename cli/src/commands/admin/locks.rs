//! `lock`, `unlock`, `erase`.
//!
//! Guarantees: a drive is erased or locked after consent only. Not here: setting the PINs.

use kinetic_client::Client;

use super::fleet::{Record, agree, each};
use crate::args::{EraseArgs, GlobalArgs, LockArgs, PinArgs};
use crate::failure::Failure;
use crate::output::Output;
use crate::secrets::{ask, given_pin};

pub(in crate::commands) async fn lock(
    global: &GlobalArgs,
    args: LockArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    agree(
        global,
        &args.consent,
        "Until they are unlocked they serve nobody. Lock",
    )?;
    let pin = needed(&args.pin)?;
    let work = move |client: Client| {
        let pin = pin.clone();
        async move {
            client.lock(pin).await.map_err(Failure::of_pin("lock"))?;
            Ok(Record::default())
        }
    };
    each(global, output, "locked", work).await
}

pub(in crate::commands) async fn unlock(
    global: &GlobalArgs,
    args: PinArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let pin = needed(&args)?;
    let work = move |client: Client| {
        let pin = pin.clone();
        async move {
            client
                .unlock(pin)
                .await
                .map_err(Failure::of_pin("unlock"))?;
            Ok(Record::default())
        }
    };
    each(global, output, "unlocked", work).await
}

pub(in crate::commands) async fn erase(
    global: &GlobalArgs,
    args: EraseArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let question = "All data, PINs and identities will be lost. Erase";
    agree(global, &args.consent, question)?;
    // A drive that has no erase PIN wants none.
    let pin = pin_of(&args.pin, "Erase PIN, empty if none is set: ")?.unwrap_or_default();
    let secure = args.secure;
    let work = move |client: Client| {
        let erasing = if secure {
            client.secure_erase(pin.clone())
        } else {
            client.erase(pin.clone())
        };
        async move {
            erasing.await.map_err(Failure::of_pin("erase"))?;
            Ok(Record::default())
        }
    };
    each(global, output, "erased", work).await
}

fn pin_of(args: &PinArgs, prompt: &str) -> Result<Option<Vec<u8>>, Failure> {
    let given = given_pin(args.pin_file.as_ref(), args.environment_pin.as_ref())?;
    match given {
        Some(pin) => Ok(Some(pin)),
        None => ask(prompt).transpose(),
    }
}

fn needed(args: &PinArgs) -> Result<Vec<u8>, Failure> {
    let pin = pin_of(args, "Lock PIN: ")?.unwrap_or_default();
    if pin.is_empty() {
        let text = "a PIN is needed: --pin-file FILE, KINETIC_PIN, or a terminal to ask on";
        return Err(Failure::Usage(text.to_owned()));
    }
    Ok(pin)
}
