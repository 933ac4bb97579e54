//! Counts up a number that several processes share: read, change, and write only if nobody was
//! faster. The entry's version is what tells.
//!
//! ```sh
//! cargo run -p kinetic-client --example counter -- 127.0.0.1:8123 visitors
//! ```

use std::error::Error;

use kinetic_client::Config;
use kinetic_client::blocking::Client;

#[cfg_attr(test, expect(dead_code, reason = "tests call what it calls"))]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [drive, key] = &arguments[..] else {
        return Err("what it takes is a drive's address and a key".into());
    };
    let client = Client::connect(drive, Config::default())?;
    eprintln!("{key} is {} now", count_up(&client, key)?);
    Ok(())
}

/// The number after it was counted up by this call.
pub(crate) fn count_up(client: &Client, key: &str) -> Result<u64, Box<dyn Error>> {
    loop {
        let found = client.get(key.to_owned()).send()?;
        let (number, version) = match found {
            None => (0, None),
            Some(entry) => {
                let text = std::str::from_utf8(&entry.value)?;
                (text.parse::<u64>()?, Some(entry.metadata.version))
            }
        };
        let next = number + 1;
        // A key that is not there has the empty version, and that is what is expected then.
        let put = client.put(key.to_owned(), next.to_string());
        let put = put.version(next.to_be_bytes().to_vec());
        let put = put.expected_version(version.unwrap_or_default());
        match put.send() {
            Ok(()) => return Ok(next),
            // Somebody else was faster: look again.
            Err(error) if error.is_version_mismatch() => {}
            Err(error) => return Err(error.into()),
        }
    }
}
