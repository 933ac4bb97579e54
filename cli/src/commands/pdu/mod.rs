//! `debug pdu`: a captured PDU as JSON, and whether its HMAC is right.
//!
//! Guarantees: neither PINs nor keys are shown. In layer order: `fields` (the names of the
//! protocol), and here the command.

mod fields;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use kinetic_client::pdu::{Mistake, Pdu, Verdict};
use serde_json::{Value, json};

use crate::args::{GlobalArgs, PduArgs};
use crate::failure::Failure;
use crate::limits::MAX_PDU_BYTES;
use crate::output::{Format, Output};
use crate::secrets::key;

pub(super) fn pdu(global: &GlobalArgs, args: &PduArgs, output: &mut Output) -> Result<(), Failure> {
    let wrong = |problem: String| Failure::Usage(format!("{}: {problem}", args.file.display()));
    let bytes = unhexed(read(&args.file)?).ok_or_else(|| wrong(PLAIN_HEX.to_owned()))?;
    let pdu = Pdu::read(&bytes.into()).map_err(|error| wrong(error.to_string()))?;
    let message = fields::message(&pdu.message).map_err(|error| wrong(error.to_string()))?;
    let verdict = pdu.judge(&key(global)?);
    let whole = json!({
        "frame": frame(&pdu),
        "hmac": { "right": right(verdict), "verdict": verdict_text(verdict) },
        "message": message,
    });
    match output.format() {
        Format::Json => output.line(&whole.to_string())?,
        Format::Table => {
            let text = serde_json::to_string_pretty(&whole).unwrap_or_default();
            output.line(&text)?;
            output.line(&format!("HMAC: {}", verdict_text(verdict)))?;
        }
    }
    match right(verdict) {
        Some(false) => Err(Failure::WrongHmac {
            what: args.file.display().to_string(),
        }),
        Some(true) | None => Ok(()),
    }
}

fn frame(pdu: &Pdu) -> Value {
    let Some((message, value)) = pdu.announced else {
        return "none: a message without a frame".into();
    };
    json!({
        "message_bytes": message,
        "value_bytes": value,
        "value_bytes_missing": value - pdu.value.len(),
        "trailing_bytes": pdu.trailing,
    })
}

fn right(verdict: Verdict) -> Option<bool> {
    match verdict {
        Verdict::Unsigned => None,
        other => Some(other == Verdict::Right),
    }
}

fn verdict_text(verdict: Verdict) -> String {
    let mistake = match verdict {
        Verdict::Unsigned => return "the message has none, since its authType is another".into(),
        Verdict::Right => return "right".into(),
        Verdict::WrongSize(size) => {
            return format!("wrong: it has {size} bytes, and an HMAC-SHA1 has 20");
        }
        Verdict::Unexplained => {
            return "wrong, and by none of the usual mistakes: it was made with another key; \
                    give that with --key-file, KINETIC_KEY or --ask-key"
                .into();
        }
        Verdict::Mistake(mistake) => mistake,
    };
    let cause = match mistake {
        Mistake::NoLength => {
            "the length of the command bytes, four bytes, big-endian, is missing before them"
        }
        Mistake::LittleEndianLength => "the length before the command bytes is little-endian",
        Mistake::LongLength => "the length before the command bytes has 8 bytes instead of 4",
        Mistake::WithValue => "the value was signed, too; only the command bytes are",
        Mistake::WholeMessage => "the whole message was signed instead of its command bytes",
        Mistake::LengthAlone => "the command bytes themselves were not signed",
        Mistake::FactoryKey => "it was made with the key of the factory, not with the one given",
        Mistake::EmptyKey => "it was made with an empty key",
        Mistake::KeyWithNewline => "it was made with the key and a newline behind it",
        Mistake::KeyAsHex => {
            "it was made with the key's hexadecimal digits as text, or with the bytes they mean"
        }
    };
    format!("wrong: {cause}")
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        return bounded(io::stdin().lock()).map_err(|source| Failure::Stream {
            stream: "input",
            source,
        });
    }
    let read = File::open(path).and_then(bounded);
    read.map_err(|source| Failure::File {
        path: path.to_path_buf(),
        source,
    })
}

fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_PDU_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const PLAIN_HEX: &str = "\
it is text, and no PDU is; as text, a PDU is pairs of plain hexadecimal digits, as `xxd -p` prints \
them: without 0x, offsets, or a column of characters; as bytes, a frame begins with F";

/// A capture is often written down as hexadecimal digits; no PDU is made of nothing else. `None`:
/// it is text of another kind.
fn unhexed(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == b':';
    let digits: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !is_blank(byte))
        .collect();
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match hex::decode(&digits) {
        Ok(decoded) if !decoded.is_empty() => Some(decoded),
        _ if bytes.len() > 1 && bytes.iter().all(is_text) => None,
        _ => Some(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_decoded_and_bytes_are_left_alone() {
        let read = |bytes: &[u8]| unhexed(bytes.to_vec());
        assert_eq!(read(b"46 00:0a\n"), Some(vec![0x46, 0, 10]));
        for bytes in [&b"F\0\0"[..], b"F", b""] {
            assert_eq!(read(bytes), Some(bytes.to_vec()));
        }
    }

    #[test]
    fn text_of_another_kind_is_not_taken_for_bytes() {
        for text in [
            "0x46 0x00 0x00",
            "00000000: 4600 0000 0900 0000 00  F........\n",
            "00000000  46 00 00 00 09 00 00 00  00   |F........|\n",
            "460",
        ] {
            assert_eq!(unhexed(text.as_bytes().to_vec()), None, "{text}");
        }
    }
}
