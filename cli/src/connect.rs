//! From the global arguments to a connection.
//!
//! Guarantees: TLS where any option of it is given, and then only with a certificate that was said
//! to be trusted. Not here: what is done with the connection.

use std::fs;
use std::path::Path;

use kinetic_client::limits::{DEFAULT_PORT, DEFAULT_TLS_PORT};
use kinetic_client::{Authorities, Client, Config, Trust};

use crate::args::{GlobalArgs, TrustArgs};
use crate::failure::Failure;
use crate::secrets::key;

/// Connects to the drive, which has to be one.
pub(crate) async fn connect(global: &GlobalArgs) -> Result<Client, Failure> {
    connect_with(global, config(global)?).await
}

/// Connects to the drive with a configuration made by [`config`].
pub(crate) async fn connect_with(global: &GlobalArgs, config: Config) -> Result<Client, Failure> {
    let drive = one_drive(global)?;
    Ok(Client::connect(drive, config).await?)
}

/// Connects to a drive that the command names itself, as to any other.
pub(crate) async fn connect_to(global: &GlobalArgs, drive: &str) -> Result<Client, Failure> {
    let drive = with_port(drive, usual_port(global));
    Ok(Client::connect(drive, config(global)?).await?)
}

/// The address of the drive, where several make no sense.
pub(crate) fn one_drive(global: &GlobalArgs) -> Result<String, Failure> {
    match &drives(global)[..] {
        [drive] => Ok(drive.clone()),
        several => Err(Failure::Usage(format!(
            "this command works on one drive, and --drive names {}",
            several.len()
        ))),
    }
}

/// The addresses of all drives that are named, each once, with their ports.
pub(crate) fn drives(global: &GlobalArgs) -> Vec<String> {
    let port = usual_port(global);
    let named = global.drives.iter().map(|drive| drive.trim());
    let named = named.filter(|drive| !drive.is_empty());
    let mut drives = Vec::new();
    for drive in named.map(|drive| with_port(drive, port)) {
        if !drives.contains(&drive) {
            drives.push(drive);
        }
    }
    drives
}

fn usual_port(global: &GlobalArgs) -> u16 {
    match global.trust.wants_tls() {
        true => DEFAULT_TLS_PORT,
        false => DEFAULT_PORT,
    }
}

/// Who connects, whom it trusts, and how long it waits.
pub(crate) fn config(global: &GlobalArgs) -> Result<Config, Failure> {
    let mut config = Config::new(global.identity, &key(global)?);
    config.trust = trust(&global.trust)?;
    config.cluster_version = global.cluster_version;
    config.priority = global.priority;
    if let Some(timeout) = global.timeout {
        config.connect_timeout = timeout;
        config.request_timeout = timeout;
    }
    Ok(config)
}

fn trust(args: &TrustArgs) -> Result<Trust, Failure> {
    if !args.fingerprint.is_empty() {
        return Ok(Trust::Fingerprints(args.fingerprint.clone()));
    }
    if let Some(path) = &args.ca {
        return authorities(path).map(Trust::Authorities);
    }
    match (args.insecure_tls, args.tls) {
        (true, _) => Ok(Trust::Anybody),
        (false, false) => Ok(Trust::Plain),
        (false, true) => Err(Failure::Usage(
            "--tls has to know whom to trust: --fingerprint HEX, which kineticd prints when it \
             starts, or --ca FILE, or --insecure-tls for anybody"
                .to_owned(),
        )),
    }
}

fn authorities(path: &Path) -> Result<Authorities, Failure> {
    let pem = fs::read(path).map_err(|source| Failure::File {
        path: path.to_path_buf(),
        source,
    })?;
    Authorities::from_pem(&pem)
        .map_err(|error| Failure::Usage(format!("--ca {}: {error}", path.display())))
}

/// The address with a port where it has none.
fn with_port(address: &str, port: u16) -> String {
    let behind_brackets = address.rsplit_once(']').map_or(address, |(_, rest)| rest);
    let is_bare_v6 = address.parse::<std::net::Ipv6Addr>().is_ok();
    if is_bare_v6 {
        format!("[{address}]:{port}")
    } else if behind_brackets.contains(':') {
        address.to_owned()
    } else {
        format!("{address}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_gets_that_of_drives() {
        assert_eq!(with_port("drive-7", 8123), "drive-7:8123");
        assert_eq!(with_port("drive-7:9", 8123), "drive-7:9");
        assert_eq!(with_port("::1", 8443), "[::1]:8443");
        assert_eq!(with_port("[::1]", 8123), "[::1]:8123");
        assert_eq!(with_port("[::1]:9", 8123), "[::1]:9");
    }
}
