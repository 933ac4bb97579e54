//! `list`: keys in order, one a line.
//!
//! Guarantees: memory is bounded however many keys there are. As JSON, one object a line.

use serde_json::json;

use super::connect;
use crate::args::{GlobalArgs, ListArgs};
use crate::failure::Failure;
use crate::keys::Printed;
use crate::output::{Format, Output};

pub(super) async fn list(
    global: &GlobalArgs,
    args: ListArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let mut range = args.keys.of(&client);
    if let Some(limit) = args.limit {
        range = range.limit(limit);
    }
    if args.reverse {
        range = range.reverse();
    }
    let mut keys = range.keys();
    while let Some(key) = keys.next().await {
        let key = key.map_err(Failure::of("list"))?;
        let key = Printed(&key).to_string();
        match output.format() {
            Format::Table => output.line(&key)?,
            Format::Json => output.line(&json!({ "key": key }).to_string())?,
        }
    }
    Ok(())
}
