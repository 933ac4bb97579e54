//! Stores the files of a folder, a key for each, and says which keys the drive has that the folder
//! has not.
//!
//! ```sh
//! cargo run -p kinetic-client --example backup_folder -- 127.0.0.1:8123 photos
//! ```
//!
//! Not here: folders in folders, which `kinetic import` has; files of more than one value (1 MiB).

use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::path::Path;

use kinetic_client::blocking::{Client, Pending};
use kinetic_client::{Config, Durability};

/// Puts whose answers have not come yet.
const AT_ONCE: usize = 16;

#[cfg_attr(test, expect(dead_code, reason = "tests call what it calls"))]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [drive, folder] = &arguments[..] else {
        return Err("what it takes is a drive's address and a folder".into());
    };
    let client = Client::connect(drive, Config::default())?;
    let (stored, strange) = backup(&client, Path::new(folder))?;
    eprintln!("{stored} files are on the drive");
    for key in strange {
        eprintln!("no such file any more: {key}");
    }
    Ok(())
}

/// How many files were stored, and keys that belong to none of them.
pub(crate) fn backup(
    client: &Client,
    folder: &Path,
) -> Result<(usize, Vec<String>), Box<dyn Error>> {
    let name = folder.file_name().ok_or("the folder has no name")?;
    let prefix = format!("{}/", name.to_string_lossy());
    let mut pending: VecDeque<Pending<()>> = VecDeque::new();
    let mut stored = 0;
    for file in fs::read_dir(folder)? {
        let file = file?;
        if !file.file_type()?.is_file() {
            continue;
        }
        let key = format!("{prefix}{}", file.file_name().to_string_lossy());
        // The drive answers at once; the flush at the end waits for the disk, once for all.
        let put = client.put(key, fs::read(file.path())?).force();
        pending.push_back(put.durability(Durability::WriteBack).begin());
        if pending.len() >= AT_ONCE
            && let Some(first) = pending.pop_front()
        {
            first.wait()?;
        }
        stored += 1;
    }
    for put in pending {
        put.wait()?;
    }
    client.flush().send()?;

    let mut strange = Vec::new();
    for key in client.prefix(&prefix).keys() {
        let key = String::from_utf8_lossy(&key?).into_owned();
        let file = key.strip_prefix(&prefix).unwrap_or(&key);
        if !folder.join(file).is_file() {
            strange.push(key);
        }
    }
    Ok((stored, strange))
}
