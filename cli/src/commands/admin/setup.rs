//! `cluster-version` and `firmware`.
//!
//! Not here: what drives do with firmware; ours keep and report it.

use bytes::Bytes;
use kinetic_client::Client;
use kinetic_client::limits::MAX_VALUE_SIZE;

use super::fleet::{Record, agree, each};
use crate::args::{ClusterVersionCommand, FirmwareArgs, GlobalArgs};
use crate::commands::write::read_value;
use crate::failure::Failure;
use crate::output::Output;

pub(in crate::commands) async fn cluster_version(
    global: &GlobalArgs,
    command: ClusterVersionCommand,
    output: &mut Output,
) -> Result<(), Failure> {
    let args = match command {
        ClusterVersionCommand::Get => {
            let work = |client: Client| async move { Ok(in_force(client.cluster_version())) };
            return each(global, output, "", work).await;
        }
        ClusterVersionCommand::Set(args) => args,
    };
    let version = args.version;
    let question = format!("Whoever carries another version is refused. Set {version} on");
    agree(global, &args.consent, &question)?;
    let work = move |client: Client| async move {
        let set = client.set_cluster_version(version).await;
        set.map_err(Failure::of("cluster-version set"))?;
        Ok(in_force(version))
    };
    each(global, output, "set", work).await
}

fn in_force(version: i64) -> Record {
    Record {
        fields: vec![("cluster_version", version.into())],
        ..Record::default()
    }
}

pub(in crate::commands) async fn firmware(
    global: &GlobalArgs,
    args: FirmwareArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    agree(global, &args.consent, "Replace the firmware of")?;
    let image = Bytes::from(read_value(&args.file, MAX_VALUE_SIZE.into())?);
    if image.is_empty() {
        let text = format!("{}: the file is empty", args.file.display());
        return Err(Failure::Usage(text));
    }
    let work = move |client: Client| {
        let image = image.clone();
        async move {
            let sent = client.download_firmware(image).await;
            sent.map_err(Failure::of("firmware"))?;
            Ok(Record::default())
        }
    };
    each(global, output, "took the image", work).await
}
