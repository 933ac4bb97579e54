//! `count`, `exists`, `digest`: what a drive says of keys without listing them.
//!
//! Guarantee: whatever the range holds, little of it comes over the network or stays in memory.

use kinetic_client::DigestContent;
use serde_json::json;

use super::connect;
use crate::args::{CountArgs, DigestArgs, ExistsArgs, GlobalArgs};
use crate::failure::Failure;
use crate::keys::Printed;
use crate::output::{Format, Output};

pub(in crate::commands) async fn count(
    global: &GlobalArgs,
    args: CountArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let mut count = args.keys.of(&client).count();
    if let Some(limit) = args.limit {
        count = count.limit(limit);
    }
    let keys = count.await.map_err(Failure::of("count"))?;
    match output.format() {
        Format::Table => output.line(&keys.to_string()),
        Format::Json => output.record(vec![("keys", keys.into())]),
    }
}

pub(in crate::commands) async fn exists(
    global: &GlobalArgs,
    args: ExistsArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let keys: Vec<Vec<u8>> = args.keys.into_iter().map(|key| key.0).collect();
    let present = client.exists(keys.iter().cloned()).await;
    let present = present.map_err(Failure::of("exists"))?;
    let mut absent = Vec::new();
    for (key, is_there) in keys.iter().zip(present) {
        let key = Printed(key).to_string();
        match output.format() {
            Format::Table if is_there => output.line(&format!("yes  {key}"))?,
            Format::Table => output.line(&format!("no   {key}"))?,
            Format::Json => output.line(&json!({ "key": key, "exists": is_there }).to_string())?,
        }
        if !is_there {
            absent.push(key);
        }
    }
    output.flush()?;
    match (absent.len(), absent.pop()) {
        (0, _) | (_, None) => Ok(()),
        (1, Some(key)) => Err(Failure::NoSuchKey { key }),
        (count, Some(_)) => Err(Failure::NoSuchKeys {
            absent: count,
            total: keys.len(),
        }),
    }
}

pub(in crate::commands) async fn digest(
    global: &GlobalArgs,
    args: DigestArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let content = match args.values {
        true => DigestContent::Values,
        false => DigestContent::Metadata,
    };
    let mut digest = args.keys.of(&client).digest().content(content);
    if let Some(entries) = args.entries {
        digest = digest.entries(entries);
    }
    let mut next = Some(digest);
    while let Some(digest) = next {
        let digested = digest.clone().await.map_err(Failure::of("digest"))?;
        for part in &digested.parts {
            let end = part.end.as_ref().map(|end| Printed(end).to_string());
            let sum = hex::encode(&part.digest);
            match output.format() {
                Format::Table => {
                    let end = end.as_deref().unwrap_or("-");
                    let (count, bytes) = (part.count, part.bytes);
                    output.line(&format!("{sum}  {count:>8}  {bytes:>14}  {end}"))?;
                }
                Format::Json => output.record(vec![
                    ("sha256", sum.into()),
                    ("keys", part.count.into()),
                    ("bytes", part.bytes.into()),
                    ("last_key", end.into()),
                ])?,
            }
        }
        next = digest.next(&digested);
    }
    Ok(())
}
