//! How a request says how it wants to be done: priority, time, early exit; and power levels.

use std::time::Duration;

use kinetic_client::schema::command::{self, Header};
use kinetic_client::{Config, PowerLevel, Priority};

use crate::fake_drive::{FakeDrive, connected};

async fn header(drive: &mut FakeDrive) -> Header {
    let asked = drive.next().await;
    drive.succeed(&asked).await;
    asked.header()
}

#[tokio::test(start_paused = true)]
async fn priority_and_what_is_left_of_the_time_travel_to_the_drive() {
    let config = Config {
        priority: Some(Priority::Low),
        in_flight_bytes: 1000,
        ..Config::default()
    };
    let (client, mut drive) = connected(config).await;
    let urgent = client
        .noop()
        .priority(Priority::Highest)
        .timeout(Duration::from_millis(2500));
    let (done, sent) = tokio::join!(urgent.into_future(), header(&mut drive));
    done.unwrap();
    assert_eq!(sent.priority, Some(Priority::Highest.into()));
    assert_eq!((sent.timeout, sent.early_exit), (Some(2500), None));
    // The connection's own, where a request has none.
    let (done, sent) = tokio::join!(client.noop().into_future(), header(&mut drive));
    done.unwrap();
    assert_eq!(sent.priority, Some(Priority::Low.into()));
    let all = u64::try_from(Config::default().request_timeout.as_millis()).unwrap();
    assert_eq!(sent.timeout, Some(all));
    // Who waits for room in the budget has less left.
    let first = tokio::spawn(client.put("first", vec![0; 900]).into_future());
    let asked = drive.next().await;
    let second = client.put("second", vec![0; 900]);
    let second = tokio::spawn(second.timeout(Duration::from_secs(5)).into_future());
    // It has called, and waits, before the time passes.
    tokio::task::yield_now().await;
    tokio::time::advance(Duration::from_secs(2)).await;
    drive.succeed(&asked).await;
    let sent = header(&mut drive).await;
    assert!(sent.timeout.unwrap() <= 3000, "{:?}", sent.timeout);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_says_nothing_asks_for_no_priority() {
    let (client, mut drive) = connected(Config::default()).await;
    let (done, sent) = tokio::join!(client.noop().into_future(), header(&mut drive));
    done.unwrap();
    assert_eq!((sent.priority, sent.early_exit), (None, None));
}

#[tokio::test]
async fn scans_and_batches_are_given_no_time_at_the_drive() {
    let (client, mut drive) = connected(Config::default()).await;
    let scan = client.media_scan::<&[u8]>(..).priority(Priority::Lowest);
    let (done, sent) = tokio::join!(scan.into_future(), header(&mut drive));
    done.unwrap();
    assert_eq!((sent.timeout, sent.priority), (None, Some(1)));
    let mut batch = client.batch().priority(Priority::High);
    batch.add(client.put("key", "value"));
    let (done, ()) = tokio::join!(batch.commit(), async {
        let sent = header(&mut drive).await;
        assert_eq!((sent.timeout, sent.priority), (None, Some(7)));
        // The operation has no answer.
        assert_eq!(drive.next().await.header().timeout, None);
        let sent = header(&mut drive).await;
        assert_eq!((sent.timeout, sent.priority), (None, Some(7)));
    });
    done.unwrap();
}

#[tokio::test]
async fn early_exit_is_asked_for_by_reads_that_say_so() {
    let (client, mut drive) = connected(Config::default()).await;
    let version = client.version("key").early_exit();
    let (done, sent) = tokio::join!(version.into_future(), header(&mut drive));
    done.unwrap();
    assert_eq!(sent.early_exit, Some(true));
}

#[tokio::test]
async fn a_power_level_is_set_by_its_number() {
    let (client, mut drive) = connected(Config::default()).await;
    for (level, number) in [
        (PowerLevel::Operational, command::PowerLevel::Operational),
        (PowerLevel::Hibernate, command::PowerLevel::Hibernate),
        (PowerLevel::Shutdown, command::PowerLevel::Shutdown),
    ] {
        let (done, ()) = tokio::join!(client.set_power_level(level).into_future(), async {
            let asked = drive.next().await;
            let power = asked.command.body.clone().unwrap().power.unwrap();
            assert_eq!(power.level, Some(number.into()));
            drive.succeed(&asked).await;
        });
        done.unwrap();
    }
}
