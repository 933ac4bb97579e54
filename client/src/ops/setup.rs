//! SETUP: the cluster version, and firmware.
//!
//! Guarantees: once a new cluster version is answered, the requests of this connection carry it.
//! Not here: what a drive does with firmware; ours keeps and reports it.

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::setup::SetupOpType;
use kinetic_proto::schema::command::{self, Body};

use super::answer::awaitable;
use crate::core::{Manner, Request};
use crate::error::Error;
use crate::net::Connection;

/// A SETUP, made by [`crate::Client::set_cluster_version`] and
/// [`crate::Client::download_firmware`].
///
/// ```no_run
/// # async fn example(client: kinetic_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// client.set_cluster_version(42).await?;
/// client.download_firmware(std::fs::read("firmware.bin")?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Setup {
    connection: Connection,
    manner: Manner,
    setup: command::Setup,
    image: Bytes,
}

impl Setup {
    pub(crate) fn of_cluster_version(connection: Connection, version: i64) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            setup: command::Setup {
                new_cluster_version: Some(version),
                setup_op_type: Some(SetupOpType::ClusterVersionSetupop.into()),
                ..command::Setup::default()
            },
            image: Bytes::new(),
        }
    }

    pub(crate) fn of_firmware(connection: Connection, image: Bytes) -> Self {
        // Protocol 4 does not know the field by which 3.x recognises firmware.
        let is_old = connection.hello().is_before_4();
        Self {
            connection,
            manner: Manner::default(),
            setup: command::Setup {
                firmware_download: is_old.then_some(true),
                setup_op_type: Some(SetupOpType::FirmwareSetupop.into()),
                ..command::Setup::default()
            },
            image,
        }
    }

    async fn run(self) -> Result<(), Error> {
        let body = Body {
            setup: Some(self.setup),
            ..Body::default()
        };
        let mut request = Request::with_body(MessageType::SETUP, body);
        request.value = self.image;
        self.connection.call(request, self.manner).await.map(drop)
    }
}

awaitable!(Setup => ());
