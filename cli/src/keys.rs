//! Keys as people write and read them: text, `hex:`, `base64:`, `text:`.
//!
//! Guarantees: what is printed can be typed back and gives the same bytes; nothing printed can
//! move a terminal's cursor or hide itself. Not here: quoting for a shell.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine as _};

const TEXT: &str = "text:";
const HEX: &str = "hex:";
const BASE64: &str = "base64:";

/// Bytes that were given as an argument: a key, a version, a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByteText(pub(crate) Vec<u8>);

/// Why an argument is not what its prefix says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ByteTextError {
    #[error(
        "what follows hex: is not pairs of hexadecimal digits; a key that really begins so is \
         written text:hex:..."
    )]
    Hex,
    #[error(
        "what follows base64: is not base64; a key that really begins so is written text:base64:..."
    )]
    Base64,
}

impl ByteText {
    /// Reads an argument, which need not be UTF-8.
    pub(crate) fn parse(argument: OsString) -> Result<Self, ByteTextError> {
        let bytes = argument.into_vec();
        let behind = |prefix: &str| bytes.strip_prefix(prefix.as_bytes());
        if let Some(digits) = behind(HEX) {
            return hex::decode(digits)
                .map(Self)
                .map_err(|_why| ByteTextError::Hex);
        }
        if let Some(text) = behind(BASE64) {
            let read = BASE64_STANDARD
                .decode(text)
                .or_else(|_why| BASE64_URL_SAFE.decode(text));
            return read.map(Self).map_err(|_why| ByteTextError::Base64);
        }
        if let Some(text) = behind(TEXT) {
            return Ok(Self(text.to_vec()));
        }
        Ok(Self(bytes))
    }
}

/// Prints bytes so that they can be typed back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printed<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match std::str::from_utf8(self.0) {
            Ok(text) if is_printable(text) => text,
            _ => return write!(out, "{HEX}{}", hex::encode(self.0)),
        };
        let misread = [TEXT, HEX, BASE64]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        let prefix = if misread || text.is_empty() { TEXT } else { "" };
        write!(out, "{prefix}{text}")
    }
}

/// Whether a text shows as what it is: no control characters, nothing invisible, no blank at an
/// end, nothing that turns the direction of writing.
fn is_printable(text: &str) -> bool {
    let hidden = |c: char| {
        let invisible = matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        );
        let more = matches!(
            c,
            '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        );
        c.is_control() || (c.is_whitespace() && c != ' ') || invisible || more
    };
    text.trim_matches(' ').len() == text.len() && !text.chars().any(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(argument: &str) -> Vec<u8> {
        ByteText::parse(OsString::from(argument)).unwrap().0
    }

    #[test]
    fn a_plain_argument_is_its_bytes_even_if_they_are_no_text() {
        assert_eq!(read("photos/1"), b"photos/1");
        let argument = OsString::from_vec(vec![0xff, b'a']);
        assert_eq!(ByteText::parse(argument).unwrap().0, [0xff, b'a']);
    }

    #[test]
    fn hex_and_base64_are_decoded() {
        assert_eq!(read("hex:00fF"), [0, 0xff]);
        assert_eq!(read("hex:"), b"");
        assert_eq!(read("base64:AP8="), [0, 0xff]);
        assert_eq!(read("base64:-_8="), [0xfb, 0xff]);
    }

    #[test]
    fn text_escapes_the_other_forms() {
        assert_eq!(read("text:hex:00"), b"hex:00");
        assert_eq!(read("text:text:"), b"text:");
        assert_eq!(read("text:"), b"");
    }

    #[test]
    fn what_is_not_its_form_is_an_error_with_the_way_out() {
        for argument in ["hex:0", "hex:zz", "base64:*", "base64:A"] {
            let error = ByteText::parse(OsString::from(argument)).unwrap_err();
            assert!(error.to_string().contains("text:"), "{error}");
        }
    }

    #[test]
    fn printed_bytes_read_back_the_same() {
        let samples: [&[u8]; 13] = [
            b"",
            b"photos/a b.jpg",
            b"hex:00",
            b"base64:",
            b"text:",
            b"\x00",
            b"\xff\xfe",
            b" leading",
            b"trailing ",
            b"two\nlines",
            b"\x1b[31mred",
            "f\u{fc}r \u{1f600}".as_bytes(),
            "\u{202e}gpj.exe".as_bytes(),
        ];
        for bytes in samples {
            let printed = Printed(bytes).to_string();
            assert!(
                !printed.is_empty() && !printed.contains(char::is_control),
                "{printed}"
            );
            assert_eq!(read(&printed), bytes, "{printed}");
        }
    }

    #[test]
    fn text_stays_text_and_the_rest_is_hex() {
        assert_eq!(Printed("gr\u{fc}n".as_bytes()).to_string(), "gr\u{fc}n");
        assert_eq!(Printed(b"a\tb").to_string(), "hex:610962");
        assert_eq!(Printed("\u{202e}".as_bytes()).to_string(), "hex:e280ae");
    }
}
