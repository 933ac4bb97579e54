//! Power cuts and restarts.

use kinetic_client::Durability;
use kinetic_simulator::{Chassis, SimDrive};

use crate::{connect, put_and_get};

#[tokio::test]
async fn a_power_cut_loses_what_was_not_synced_and_nothing_else() {
    let drive = SimDrive::builder().start().await.unwrap();
    let address = drive.addr();
    let names = drive.names().clone();
    for round in 0..5 {
        let client = connect(address).await;
        let key = |name: &str| format!("{name} {round}");
        let put = |name: &str| client.put(key(name), vec![round; 50_000]).force();
        put("durable")
            .durability(Durability::WriteThrough)
            .await
            .unwrap();
        put("lost").durability(Durability::WriteBack).await.unwrap();
        assert!(client.get(key("lost")).await.unwrap().is_some());
        drive.power_cut().await;
        assert!(!drive.is_on().await);
        assert!(client.get(key("durable")).await.is_err());
        drive.restart().await.unwrap();
        assert_eq!((drive.addr(), drive.names()), (address, &names));
        let client = connect(address).await;
        for past in 0..=round {
            let entry = client.get(format!("durable {past}")).await.unwrap();
            assert_eq!(entry.unwrap().value, vec![past; 50_000]);
        }
        assert!(client.get(key("lost")).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_stop_keeps_everything() {
    let drive = SimDrive::builder().start().await.unwrap();
    let client = connect(drive.addr()).await;
    let put = client.put("key", "value").force();
    put.durability(Durability::WriteBack).await.unwrap();
    drive.restart().await.unwrap();
    let client = connect(drive.addr()).await;
    assert!(client.get("key").await.unwrap().is_some());
}

#[tokio::test]
async fn drives_that_lose_power_leave_others_alone() {
    let chassis = Chassis::of(4).start().await.unwrap();
    let mut clients = Vec::new();
    for drive in chassis.iter() {
        clients.push(put_and_get(drive.addr()).await);
    }
    chassis[1].power_cut().await;
    chassis[2].stop().await.unwrap();
    for (place, client) in clients.iter().enumerate() {
        assert_eq!(
            client.get("key").await.is_ok(),
            place == 0 || place == 3,
            "{place}"
        );
    }
}
