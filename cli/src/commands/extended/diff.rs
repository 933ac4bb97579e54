//! `diff`: which keys two drives do not have in common, or not alike.
//!
//! Guarantees: keys that are equal are never listed, by either drive; memory is bounded. As JSON,
//! one object a line. Not here: making the drives equal.

use kinetic_client::{CompareError, Compared, Difference};
use serde_json::json;

use crate::args::{DiffArgs, GlobalArgs};
use crate::connect::connect_to;
use crate::failure::Failure;
use crate::keys::Printed;
use crate::output::{Format, Output};

pub(in crate::commands) async fn diff(
    global: &GlobalArgs,
    args: DiffArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let first = connect_to(global, &args.first).await?;
    let second = connect_to(global, &args.second).await?;
    let range = args.keys.of(&first).bounds();
    let mut differences = first.compare(&second, range);
    if args.values {
        differences = differences.with_values();
    }
    // Of two drives it counts which one it was.
    let failed = |CompareError { drive, source }| {
        let address = match drive {
            Compared::First => &args.first,
            Compared::Second => &args.second,
        };
        Failure::of(format!("diff: {address}"))(source)
    };
    let mut count = 0_u64;
    while let Some(difference) = differences.next().await.map_err(failed)? {
        let (how, key) = match &difference {
            Difference::OnlyFirst(key) => ("only-first", key),
            Difference::OnlySecond(key) => ("only-second", key),
            Difference::Differs(key) => ("differs", key),
        };
        let key = Printed(key).to_string();
        match output.format() {
            Format::Table => output.line(&format!("{how:<11}  {key}"))?,
            Format::Json => {
                let line = json!({ "key": key, "difference": how });
                output.line(&line.to_string())?;
            }
        }
        count += 1;
    }
    output.flush()?;
    match count {
        0 => Ok(()),
        count => Err(Failure::Differ(count)),
    }
}
