//! As much of HTTP/1.1 as whoever reads metrics needs: one GET or HEAD for each connection.
//!
//! Guarantees: a head is bounded in bytes, an exchange in time; every answer says how long it is
//! and ends its connection. The body of a request is not read.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::limits::{METRICS_HEAD_BYTES, METRICS_SECONDS};

/// Bytes that are asked of the socket at once.
const READ_AT_ONCE: usize = 1 << 10;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// The path, without what follows a question mark.
    pub(super) path: String,
    method: Method,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Head,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: Code,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

/// The codes that are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    TooSlow,
    HeadTooLong,
    Unavailable,
}

impl Code {
    /// Its number and phrase.
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::TooSlow => "408 Request Timeout",
            Self::HeadTooLong => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

impl Answer {
    /// A code, with a sentence for a person.
    pub(super) fn of(code: Code, sentence: &str) -> Self {
        Self {
            code,
            content_type: "text/plain; charset=utf-8",
            body: format!("{sentence}\n"),
        }
    }

    fn encode(&self, method: Method) -> String {
        let Self {
            code,
            content_type,
            body,
        } = self;
        let allow = match code {
            Code::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            _ => "",
        };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n",
            code.line(),
            body.len()
        );
        match method {
            Method::Get => head + body,
            Method::Head => head,
        }
    }
}

/// Reads one request, answers it, and closes.
pub(super) async fn exchange<S>(mut stream: S, answer: impl Fn(&Asked) -> Answer)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let patience = Duration::from_secs(METRICS_SECONDS);
    let (method, answer) = match timeout(patience, read_head(&mut stream)).await {
        Ok(Ok(Some(head))) => match parse(&head) {
            Ok(asked) => (asked.method, answer(&asked)),
            Err(refusal) => (Method::Get, refusal),
        },
        Ok(Ok(None)) => {
            let text = format!("The head of a request has at most {METRICS_HEAD_BYTES} bytes.");
            (Method::Get, Answer::of(Code::HeadTooLong, &text))
        }
        // Nobody is there any more.
        Ok(Err(_)) => return,
        Err(_elapsed) => {
            let text = format!("A request has {METRICS_SECONDS} seconds to come.");
            (Method::Get, Answer::of(Code::TooSlow, &text))
        }
    };
    // Who does not take the answer has no use for it.
    let _ = timeout(patience, tell(&mut stream, &answer.encode(method))).await;
}

/// Sends it so that it arrives: closing a socket with unread bytes in it would take it back.
async fn tell<S>(stream: &mut S, text: &str) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    let (mut scrap, mut thrown_away) = ([0; READ_AT_ONCE], 0);
    while thrown_away < METRICS_HEAD_BYTES {
        match stream.read(&mut scrap).await? {
            0 => break,
            count => thrown_away += count,
        }
    }
    Ok(())
}

/// The head of a request up to its empty line, or to the end of the stream; none if it is too long.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut more = [0; READ_AT_ONCE];
    loop {
        let count = stream.read(&mut more).await?;
        if count == 0 && head.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(more.get(..count).unwrap_or_default());
        if head.len() > METRICS_HEAD_BYTES {
            return Ok(None);
        }
        let is_whole = [&b"\r\n\r\n"[..], b"\n\n"]
            .iter()
            .any(|end| head.windows(end.len()).any(|bytes| bytes == *end));
        if is_whole || count == 0 {
            return Ok(Some(head));
        }
    }
}

/// What the first line of a head asks for, or why that is refused.
fn parse(head: &[u8]) -> Result<Asked, Answer> {
    let malformed = || Answer::of(Code::BadRequest, "This is no request of HTTP/1.1.");
    let text = str::from_utf8(head).map_err(|_why| malformed())?;
    let line = text.lines().next().unwrap_or_default();
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(malformed());
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return Err(malformed());
    }
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => {
            let text = "Metrics and health are read by GET or HEAD.";
            return Err(Answer::of(Code::MethodNotAllowed, text));
        }
    };
    let path = target.split('?').next().unwrap_or_default().to_owned();
    Ok(Asked { path, method })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered to these bytes, after which the asker says no more.
    async fn answered(request: &[u8]) -> String {
        let (mut near, far) = tokio::io::duplex(1 << 20);
        let serve = exchange(far, |asked| Answer::of(Code::Ok, &asked.path));
        let ask = async {
            near.write_all(request).await.unwrap();
            let mut text = String::new();
            near.read_to_string(&mut text).await.unwrap();
            text
        };
        // Reading to the end comes first; then the asker hangs up.
        let (text, ()) = tokio::join!(ask, serve);
        text
    }

    #[tokio::test(start_paused = true)]
    async fn a_get_is_answered_and_a_head_is_answered_without_a_body() {
        let text = answered(b"GET /metrics?debug=1 HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("Content-Length: 9\r\n") && text.contains("Connection: close"));
        assert!(text.ends_with("\r\n\r\n/metrics\n"), "{text}");
        let text = answered(b"HEAD /health HTTP/1.0\n\n").await;
        assert!(text.contains("Content-Length: 8\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_request_is_refused_and_tells_why() {
        let long = [
            b"GET / HTTP/1.1\r\nX: ".to_vec(),
            vec![b'x'; METRICS_HEAD_BYTES],
        ]
        .concat();
        let cases: [(&[u8], &str); 9] = [
            (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
            (b"PRI * HTTP/2.0\r\n\r\n", "400"),
            (b"GET  /metrics HTTP/1.1\r\n\r\n", "400"),
            (b"GET /metrics\r\n\r\n", "400"),
            (b"GET metrics HTTP/1.1\r\n\r\n", "400"),
            (b"\r\n\r\n", "400"),
            (b"\x16\x03\x01\xff\xff\n\n", "400"),
            (&long, "431"),
            (b"GET /metrics HTTP/1.1\r\nHost", "408"),
        ];
        for (request, code) in cases {
            let text = answered(request).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {code} ")), "{text}");
            assert!(code != "405" || text.contains("\r\nAllow: GET, HEAD\r\n"));
        }
    }
}
