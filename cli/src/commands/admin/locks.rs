//! `lock`, `unlock`, `erase`.
//!
//! Guarantees: a drive is erased or locked after consent only. Not here: setting the PINs.

use kinetic_client::Client;
use kinetic_client::ops::PinOperation;

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
    let lock = move |client: &Client| client.lock(pin.clone());
    operate(global, output, ("lock", "locked"), lock).await
}

pub(in crate::commands) async fn unlock(
    global: &GlobalArgs,
    args: PinArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let pin = needed(&args)?;
    let unlock = move |client: &Client| client.unlock(pin.clone());
    operate(global, output, ("unlock", "unlocked"), unlock).await
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
    let erase = move |client: &Client| {
        if secure {
            client.secure_erase(pin.clone())
        } else {
            client.erase(pin.clone())
        }
    };
    operate(global, output, ("erase", "erased"), erase).await
}

/// Does a PIN operation on each drive.
async fn operate<F>(
    global: &GlobalArgs,
    output: &mut Output,
    (action, done): (&'static str, &str),
    operation: F,
) -> Result<(), Failure>
where
    F: Fn(&Client) -> PinOperation + Clone + Send + Sync + 'static,
{
    let work = move |client: Client| {
        let operation = operation(&client);
        async move {
            operation.await.map_err(Failure::of_pin(action))?;
            Ok(Record::default())
        }
    };
    each(global, output, done, work).await
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
