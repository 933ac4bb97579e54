//! Arguments that say whether a connection is under TLS, and whom it trusts then.
//!
//! Not here: reading the files that are named (`connect`).

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use kinetic_client::Fingerprint;

/// Of these the first that is given counts: fingerprints, authorities, anybody.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TrustArgs {
    /// Connect under TLS; needs one of the options below, each of which implies it
    #[arg(long, global = true, env = "KINETIC_TLS", value_parser = BoolishValueParser::new())]
    pub(crate) tls: bool,

    /// Trust the certificate with this SHA-256 fingerprint, which kineticd prints when it
    /// starts; several with commas between them
    #[arg(
        long,
        global = true,
        env = "KINETIC_FINGERPRINT",
        value_name = "HEX",
        value_delimiter = ','
    )]
    pub(crate) fingerprint: Vec<Fingerprint>,

    /// Trust certificates that an authority in this PEM file vouches for
    #[arg(long, global = true, env = "KINETIC_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Trust any certificate: whoever sits in between can read and change everything
    #[arg(
        long,
        global = true,
        env = "KINETIC_INSECURE_TLS",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) insecure_tls: bool,
}

impl TrustArgs {
    /// Whether the connection is to be under TLS.
    pub(crate) fn wants_tls(&self) -> bool {
        self.tls || self.insecure_tls || self.ca.is_some() || !self.fingerprint.is_empty()
    }
}
