//! From the global arguments to a connection.
//!
//! Guarantees: the key comes from one place, in the order file, prompt, environment, factory,
//! and is not printed. Not here: what is done with the connection.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use kinetic_client::config::FACTORY_KEY;
use kinetic_client::limits::DEFAULT_PORT;
use kinetic_client::{Client, Config};

use crate::args::GlobalArgs;
use crate::failure::Failure;
use crate::limits::MAX_KEY_FILE_BYTES;

/// Connects to the drive.
pub(crate) async fn connect(global: &GlobalArgs) -> Result<Client, Failure> {
    connect_with(global, config(global)?).await
}

/// Connects to the drive with a configuration made by [`config`].
pub(crate) async fn connect_with(global: &GlobalArgs, config: Config) -> Result<Client, Failure> {
    Ok(Client::connect(with_port(&global.drive), config).await?)
}

/// Who connects, and how long it waits.
pub(crate) fn config(global: &GlobalArgs) -> Result<Config, Failure> {
    let mut config = Config::new(global.identity, &key(global)?);
    config.cluster_version = global.cluster_version;
    if let Some(timeout) = global.timeout {
        config.connect_timeout = timeout;
        config.request_timeout = timeout;
    }
    Ok(config)
}

fn key(global: &GlobalArgs) -> Result<Vec<u8>, Failure> {
    if let Some(path) = &global.key_file {
        return key_file(path);
    }
    if global.ask_key {
        if !io::stderr().is_terminal() {
            return Err(Failure::Usage(
                "--ask-key needs a terminal; use --key-file or KINETIC_KEY".to_owned(),
            ));
        }
        let prompt = format!("Key of identity {}: ", global.identity);
        let key = rpassword::prompt_password(prompt);
        return key
            .map(String::into_bytes)
            .map_err(|source| Failure::Stream {
                stream: "input",
                source,
            });
    }
    let environment = global.environment_key.as_ref();
    Ok(environment.map_or_else(|| FACTORY_KEY.to_vec(), |key| key.as_bytes().to_vec()))
}

fn key_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |source| Failure::File {
        path: path.to_path_buf(),
        source,
    };
    let mut key = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_KEY_FILE_BYTES + 1)
        .read_to_end(&mut key)
        .map_err(failed)?;
    if key.len() as u64 > MAX_KEY_FILE_BYTES {
        let message = format!("{} is too long to be a key", path.display());
        return Err(Failure::Usage(message));
    }
    if key.last() == Some(&b'\n') {
        key.pop();
        if key.last() == Some(&b'\r') {
            key.pop();
        }
    }
    Ok(key)
}

/// The address with the port of drives where it has none.
fn with_port(address: &str) -> String {
    let behind_brackets = address.rsplit_once(']').map_or(address, |(_, rest)| rest);
    let is_bare_v6 = address.parse::<std::net::Ipv6Addr>().is_ok();
    if is_bare_v6 {
        format!("[{address}]:{DEFAULT_PORT}")
    } else if behind_brackets.contains(':') {
        address.to_owned()
    } else {
        format!("{address}:{DEFAULT_PORT}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_gets_that_of_drives() {
        assert_eq!(with_port("drive-7"), "drive-7:8123");
        assert_eq!(with_port("drive-7:9"), "drive-7:9");
        assert_eq!(with_port("::1"), "[::1]:8123");
        assert_eq!(with_port("[::1]"), "[::1]:8123");
        assert_eq!(with_port("[::1]:9"), "[::1]:9");
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
            assert_eq!(key_file(&path).unwrap(), key.as_bytes());
        }
    }
}
