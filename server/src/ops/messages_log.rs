//! The log of messages in pages: a device log, since GETLOG MESSAGES gives all lines at once and
//! does not say which are new.
//!
//! Guarantees: messages have growing numbers while the drive runs, and an answer says where to go
//! on, so that who follows misses none that is still kept and sees none twice. Numbers begin anew
//! when the drive is started: then `next` is less than what was asked for. Not here: the warnings
//! that GETLOG MESSAGES begins with, which are no events.

use bytes::Bytes;
use serde_json::json;

use crate::auth::{Grant, grant};
use crate::device::Device;
use crate::limits::MESSAGES_PAGE;

/// The name of the log; a slash and a number behind it ask for messages from that number on.
pub const MESSAGES_LOG: &str = "org.kinetic.messages";

/// From which number on this log is asked for, if the name is that of this log.
#[must_use]
pub fn asked_from(name: &[u8]) -> Option<u64> {
    let rest = name.strip_prefix(MESSAGES_LOG.as_bytes())?;
    if rest.is_empty() {
        return Some(0);
    }
    let digits = rest.strip_prefix(b"/")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The messages from a number on, as JSON, and where to go on.
#[must_use]
pub fn content(_grant: &Grant<grant::GetLog>, device: &Device, from: u64) -> Bytes {
    let page = device.messages.page(from, MESSAGES_PAGE);
    let (first, next) = (page.first, page.next);
    let line = |(number, text)| json!({ "number": number, "text": text });
    let messages: Vec<_> = page.lines.into_iter().map(line).collect();
    let log = json!({ "first": first, "next": next, "messages": messages });
    log.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_behind_a_slash_says_from_where() {
        assert_eq!(asked_from(b"org.kinetic.messages"), Some(0));
        assert_eq!(asked_from(b"org.kinetic.messages/17"), Some(17));
        for other in ["", "/", "/-1", "/+1", "/1x", "17", "/99999999999999999999"] {
            let name = format!("org.kinetic.messages{other}");
            let expected = other.is_empty().then_some(0);
            assert_eq!(asked_from(name.as_bytes()), expected, "{name}");
        }
        assert_eq!(asked_from(b"org.kinetic.message"), None);
    }
}
