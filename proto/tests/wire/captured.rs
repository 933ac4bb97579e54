//! Reads the frames captured from other programs, from the folder that `KINETIC_CAPTURES` names.
//!
//! Each line of its `*.jsonl` files is an object with `what`, `type`, `status`, and `request`
//! and `response` as whole frames in hex.

use std::path::{Path, PathBuf};

/// One captured exchange.
pub(crate) struct Exchange {
    /// File and line.
    pub(crate) place: String,
    /// What was captured.
    pub(crate) what: String,
    /// Message type of the request.
    pub(crate) message_type: Option<i64>,
    /// Status code of the response.
    pub(crate) status: Option<i64>,
    /// The request's frame.
    pub(crate) request: Option<Vec<u8>>,
    /// The response's frame.
    pub(crate) response: Option<Vec<u8>>,
}

/// All of them, or `None` when the variable is not set.
pub(crate) fn exchanges() -> Option<Vec<Exchange>> {
    let folder = PathBuf::from(std::env::var_os("KINETIC_CAPTURES")?);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("KINETIC_CAPTURES names a folder")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    files.sort();
    Some(files.iter().flat_map(|file| read(file)).collect())
}

fn read(file: &Path) -> Vec<Exchange> {
    let text = std::fs::read_to_string(file).expect("the captures are text");
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let parse = |(index, line): (usize, &str)| {
        let object: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        let frame = |field: &str| {
            object
                .get(field)?
                .as_str()
                .map(|text| hex::decode(text).expect("frames are hex"))
        };
        Exchange {
            place: format!("{name}:{}", index + 1),
            what: object["what"].as_str().unwrap_or_default().to_owned(),
            message_type: object["type"].as_i64(),
            status: object["status"].as_i64(),
            request: frame("request"),
            response: frame("response"),
        }
    };
    text.lines().enumerate().map(parse).collect()
}
