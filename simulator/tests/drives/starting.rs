//! How drives start, what they are called, where they are, and that they end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kinetic_client::{Client, Config, Trust};
use kinetic_simulator::{Chassis, SimDrive, SimError};

use crate::{connect, put_and_get};

#[expect(clippy::disallowed_methods, reason = "measures what a user waits for")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn a_drive_starts_quickly_and_serves() {
    drop(SimDrive::builder().start().await.unwrap());
    let mut times = Vec::new();
    for _ in 0..5 {
        let begun = now();
        let drive = SimDrive::builder().start().await.unwrap();
        times.push(begun.elapsed());
        put_and_get(drive.addr()).await;
    }
    println!("one drive starts in {times:?}");
    // A build for tests on a machine that does other things: an alarm, not the figure.
    assert!(times.iter().min().unwrap() < &Duration::from_millis(500));
}

#[test]
fn a_blocking_test_has_a_chassis_and_a_client_too() {
    let begun = now();
    let chassis = Chassis::of(12).start_blocking().unwrap();
    println!("twelve drives start in {:?}", begun.elapsed());
    let names = chassis
        .iter()
        .map(|drive| drive.names().serial_number.clone());
    let names: BTreeSet<_> = names.collect();
    assert_eq!(names.len(), 12);
    let wide = chassis
        .iter()
        .map(|drive| drive.names().world_wide_name.clone());
    let wide: BTreeSet<_> = wide.collect();
    assert_eq!(wide.len(), 12);
    for drive in chassis.iter() {
        let client = kinetic_client::blocking::Client::connect(drive.addr(), Config::default());
        let client = client.unwrap();
        client.put("key", "value").force().send().unwrap();
        assert_eq!(client.get("key").send().unwrap().unwrap().value, "value");
    }
}

#[tokio::test]
async fn what_a_drive_is_told_is_what_clients_see() {
    let drive = SimDrive::builder()
        .tls()
        .cluster_version(7)
        .factory_key("secret")
        .capacity(1 << 30);
    let drive = drive.uuid(*b"0123456789abcdef").start().await.unwrap();
    assert_eq!(drive.names().serial_number, "K3839616263646566");
    assert_eq!(drive.cluster_version().await, Some(7));
    let config = Config::new(1, drive.factory_key());
    let client = Client::connect(drive.addr(), config.clone()).await.unwrap();
    assert_eq!(client.cluster_version(), 7);
    let secure = Config {
        trust: Trust::Fingerprints(vec![drive.fingerprint().unwrap()]),
        ..config
    };
    let secure = Client::connect(drive.tls_addr().unwrap(), secure)
        .await
        .unwrap();
    secure.put("key", "value").force().await.unwrap();
    assert!(client.get("key").await.unwrap().is_some());
}

#[tokio::test]
async fn a_drive_that_is_dropped_ends() {
    let drive = SimDrive::builder().start().await.unwrap();
    let (address, client) = (drive.addr(), connect(drive.addr()).await);
    drop(drive);
    // The connection ends, and so does the port; nobody waits for it in the drop.
    let gone = async {
        while client.noop().await.is_ok() {}
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_drive_in_an_image_file_is_the_same_one_the_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("drive.img");
    let builder = SimDrive::builder().image(&image).capacity(1 << 30);
    let drive = builder.clone().cluster_version(3).start().await.unwrap();
    let names = drive.names().clone();
    put_and_get_as(&drive, 3).await;
    drive.stop().await.unwrap();
    let in_use = builder.clone().start().await.unwrap_err();
    assert!(matches!(in_use, SimError::Image(_)), "{in_use}");
    drop(drive);
    let drive = loop {
        // The first one is let go behind the drop.
        match builder.clone().start().await {
            Ok(drive) => break drive,
            Err(SimError::Image(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(drive.names(), &names);
    assert_eq!(drive.cluster_version().await, Some(3));
    let client = connect(drive.addr()).await;
    assert!(client.get("key").await.unwrap().is_some());
}

async fn put_and_get_as(drive: &SimDrive, version: i64) {
    let client = put_and_get(drive.addr()).await;
    assert_eq!(client.cluster_version(), version);
}

#[tokio::test]
async fn a_chassis_of_none_is_refused() {
    for count in [0, 100_000] {
        let refused = Chassis::of(count).start().await.unwrap_err();
        assert!(matches!(refused, SimError::Chassis(told) if told == count));
    }
}
