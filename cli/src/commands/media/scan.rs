//! `scan`: the keys whose values are damaged, one a line, with the reason as far as it is known.
//!
//! Guarantees: memory is bounded however many keys there are; the exit code tells whether anything
//! was found. The protocol names keys only, so the reason is what reading the key says.

use indicatif::ProgressBar;
use kinetic_client::{Algorithm, Client, StatusCode};
use serde_json::json;

use super::{connect, quantum};
use crate::args::{GlobalArgs, ScanArgs};
use crate::failure::Failure;
use crate::keys::Printed;
use crate::output::{Format, Output};
use crate::units::counted;

pub(in crate::commands) async fn scan(
    global: &GlobalArgs,
    args: ScanArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let range = args.keys.of(&client);
    let progress = ProgressBar::new_spinner();
    let (mut bad, mut unlisted) = (0, None);
    let mut next = Some(range.media_scan().within(quantum(global)));
    while let Some(part) = next {
        let scanned = part.clone().await.map_err(Failure::of("scan"))?;
        for key in &scanned.bad {
            bad += 1;
            let reason = reason(&client, key).await?;
            let key = Printed(key).to_string();
            progress.suspend(|| match output.format() {
                Format::Table => output.line(&format!("{key}  {reason}")),
                Format::Json => output.line(&json!({ "key": key, "reason": reason }).to_string()),
            })?;
        }
        if let (Some(reached), false) = (&scanned.reached, progress.is_hidden()) {
            progress.set_message(format!("{bad} bad, at {}", Printed(reached)));
            progress.tick();
        }
        if let Some(text) = &scanned.unlisted {
            progress.suspend(|| eprintln!("{text}"));
            unlisted.get_or_insert_with(|| text.clone());
        }
        next = part.next(&scanned);
    }
    progress.finish_and_clear();
    match (bad, unlisted) {
        (0, None) => Ok(()),
        (0, Some(_)) => Err(Failure::Damaged(
            "the drive cannot read a part of its index".to_owned(),
        )),
        (1, _) => Err(Failure::Damaged("1 value is damaged".to_owned())),
        (bad, _) => {
            let values = counted(bad, "value");
            Err(Failure::Damaged(format!("{values} are damaged")))
        }
    }
}

/// Why a scan named this key.
async fn reason(client: &Client, key: &[u8]) -> Result<String, Failure> {
    match client.get(key.to_vec()).await {
        Ok(Some(entry)) => {
            let algorithm = entry.metadata.algorithm.unwrap_or(Algorithm::SHA1);
            Ok(format!("the tag is not the {algorithm} of the value"))
        }
        Ok(None) => Ok("it has been removed since".to_owned()),
        Err(error) if error.status() == Some(StatusCode::PERM_DATA_ERROR) => {
            Ok("the value cannot be read any more".to_owned())
        }
        Err(error) => Err(Failure::of("scan")(error)),
    }
}
