//! Drives that push to each other, and finding drives.
//!
//! Not here: how entries get there; the drive does that.

mod differing;
mod discover;
mod push;
mod replicate;

pub(super) use discover::discover;
pub(super) use push::push;
pub(super) use replicate::replicate;

use kinetic_client::{Copied, Peer, StatusCode};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::keys::Printed;
use crate::output::{Format, Output};

/// Tells what came of a key: in JSON always, else only what did not arrive.
fn tell(copied: &Copied, peers: &[Peer], output: &mut Output) -> Result<(), Failure> {
    let key = Printed(&copied.key).to_string();
    match output.format() {
        Format::Json => {
            let at = copied.at.iter().zip(peers);
            let at: Vec<Value> = at
                .map(|((status, message), peer)| {
                    let (peer, status) = (peer.to_string(), status.to_string());
                    json!({ "peer": peer, "status": status, "message": message })
                })
                .collect();
            output.line(&json!({ "key": key, "at": at }).to_string())
        }
        Format::Table => {
            for ((status, message), peer) in copied.at.iter().zip(peers) {
                if *status != StatusCode::SUCCESS {
                    let colon = if message.is_empty() { "" } else { ": " };
                    output.line(&format!("{key}  {peer}  {status}{colon}{message}"))?;
                }
            }
            Ok(())
        }
    }
}
