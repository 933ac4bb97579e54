//! `log messages --follow`: the drive's messages as they come.
//!
//! Guarantees: each message once, by its number; texts of a drive cannot disturb a terminal; what
//! was printed is at the reader before the next wait. It ends with the connection, or when it is
//! stopped.

use std::time::Duration;

use kinetic_client::Client;
use serde::Deserialize;
use serde_json::json;

use crate::commands::logs::harmless;
use crate::failure::Failure;
use crate::limits::FOLLOW_MS;
use crate::output::{Format, Output};

/// The log of messages by their numbers.
const MESSAGES_LOG: &str = "org.kinetic.messages";

#[derive(Deserialize)]
struct Page {
    next: u64,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    number: u64,
    text: String,
}

pub(in crate::commands) async fn follow(
    client: &Client,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut from = 0;
    loop {
        let name = format!("{MESSAGES_LOG}/{from}");
        let log = client.log(&[]).device(name).await;
        let log = log.map_err(Failure::of("log"))?;
        let page: Page = serde_json::from_slice(&log.value).map_err(|_why| Failure::NoMessages)?;
        for Message { number, text } in &page.messages {
            match output.format() {
                Format::Table => output.line(&harmless(text).replace('\n', " "))?,
                Format::Json => {
                    let line = json!({ "number": number, "text": text });
                    output.line(&line.to_string())?;
                }
            }
        }
        output.flush()?;
        if page.messages.is_empty() {
            tokio::time::sleep(Duration::from_millis(FOLLOW_MS)).await;
        }
        from = page.next;
    }
}
