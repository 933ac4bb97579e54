//! Keys and PINs: from a file, from the environment, from the terminal, never from an argument.
//!
//! Guarantees: a secret comes from the first of these places that is named, and is not printed.
//! Not here: what it opens.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use kinetic_client::config::FACTORY_KEY;

use crate::args::GlobalArgs;
use crate::failure::Failure;
use crate::limits::MAX_KEY_FILE_BYTES;

/// The key that signs requests.
pub(crate) fn key(global: &GlobalArgs) -> Result<Vec<u8>, Failure> {
    if let Some(path) = &global.key_file {
        return not_empty(secret_file(path)?, &path.display().to_string());
    }
    if global.ask_key {
        let prompt = format!("Key of identity {}: ", global.identity);
        return ask(&prompt).unwrap_or_else(|| {
            Err(Failure::Usage(
                "--ask-key needs a terminal; use --key-file or KINETIC_KEY".to_owned(),
            ))
        });
    }
    match &global.environment_key {
        Some(key) => not_empty(key.as_bytes().to_vec(), "KINETIC_KEY"),
        None => Ok(FACTORY_KEY.to_vec()),
    }
}

/// No identity has an empty key: it is a file or a variable that something else should have filled.
fn not_empty(key: Vec<u8>, whence: &str) -> Result<Vec<u8>, Failure> {
    match key.is_empty() {
        true => Err(Failure::Usage(format!("{whence}: the key is empty"))),
        false => Ok(key),
    }
}

/// A PIN from a file or the environment; `None` where neither names one.
pub(crate) fn given_pin(
    file: Option<&PathBuf>,
    environment: Option<&OsString>,
) -> Result<Option<Vec<u8>>, Failure> {
    match (file, environment) {
        (Some(path), _) => secret_file(path).map(Some),
        (None, Some(pin)) => Ok(Some(pin.as_bytes().to_vec())),
        (None, None) => Ok(None),
    }
}

/// Asks on the terminal; `None` where there is none.
pub(crate) fn ask(prompt: &str) -> Option<Result<Vec<u8>, Failure>> {
    if !io::stderr().is_terminal() || !io::stdin().is_terminal() {
        return None;
    }
    let secret = rpassword::prompt_password(prompt).map(String::into_bytes);
    Some(secret.map_err(|source| Failure::Stream {
        stream: "input",
        source,
    }))
}

/// A file's bytes but a newline at the end. Not standard input, which values come from.
pub(crate) fn secret_file(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        return Err(Failure::Usage(
            "a key or a PIN is not read from standard input by `-`: name a file, such as \
             /dev/stdin, or ./- for one of that name"
                .to_owned(),
        ));
    }
    let failed = |source| Failure::File {
        path: path.to_path_buf(),
        source,
    };
    let mut secret = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_KEY_FILE_BYTES + 1)
        .read_to_end(&mut secret)
        .map_err(failed)?;
    if secret.len() as u64 > MAX_KEY_FILE_BYTES {
        let message = format!("{} is too long to be a key or a PIN", path.display());
        return Err(Failure::Usage(message));
    }
    if secret.last() == Some(&b'\n') {
        secret.pop();
        if secret.last() == Some(&b'\r') {
            secret.pop();
        }
    }
    Ok(secret)
}

/// What serde says of a value that does not fit, without the value, which may be a secret. It says
/// first what it found and then, after the last such words, what it wanted.
pub(crate) fn without_value(message: &str) -> String {
    const WANTED: &str = ", expected ";
    let found = ["invalid type: ", "invalid value: ", "invalid length "];
    let begin = found.into_iter().find(|begin| message.starts_with(begin));
    match (begin, message.rfind(WANTED)) {
        (Some(begin), Some(at)) => {
            let begin = begin.trim_end_matches([' ', ':']);
            let rest = message.get(at..).unwrap_or(WANTED);
            format!("{begin}{rest}")
        }
        _ => message.to_owned(),
    }
}

/// From the kernel.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    let source = Path::new("/dev/urandom");
    let read = File::open(source).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| Failure::File {
        path: source.to_path_buf(),
        source: error,
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_fit_is_not_repeated() {
        let told = [
            r#"invalid type: string "s3cret", expected i64 at line 1 column 9"#,
            r#"invalid type: string "s3cret, expected x", expected a sequence"#,
            "invalid value: integer `53`, expected u8",
        ]
        .map(without_value);
        let expected = [
            "invalid type, expected i64 at line 1 column 9",
            "invalid type, expected a sequence",
            "invalid value, expected u8",
        ];
        assert_eq!(told, expected);
        let unknown = "unknown field `may`, expected `key`";
        assert_eq!(without_value(unknown), unknown);
    }

    #[test]
    fn a_key_file_loses_one_newline_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for (content, key) in [
            ("a b \n", "a b "),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("a", "a"),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(secret_file(&path).unwrap(), key.as_bytes());
        }
    }
}
