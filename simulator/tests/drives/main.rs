//! Simulated drives as whoever tests a service uses them.
//!
//! Guarantee: every drive of these tests serves a client of the client crate over its port.

mod many;

mod power;

mod starting;

use std::net::SocketAddr;

use kinetic_client::{Client, Config};

/// A connection as the factory identity.
async fn connect(address: SocketAddr) -> Client {
    let connected = Client::connect(address, Config::default()).await;
    connected.expect("a drive that serves")
}

/// A connection, and that it serves.
async fn put_and_get(address: SocketAddr) -> Client {
    let client = connect(address).await;
    let value = vec![7; 4096];
    client
        .put("key", value.clone())
        .force()
        .await
        .expect("a put");
    let entry = client.get("key").await.expect("a get").expect("an entry");
    assert_eq!(entry.value, value);
    client
}
