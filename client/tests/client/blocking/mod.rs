//! The blocking client, and the examples that stand on it, against a drive in a thread.

mod drive;

#[path = "../../../examples/backup_folder.rs"]
mod backup_folder;

#[path = "../../../examples/counter.rs"]
mod counter;

use std::time::Duration;

use kinetic_client::blocking::Client;
use kinetic_client::{BatchError, Config, Disconnected, Durability, Error, LogType};

fn connected() -> Client {
    Client::connect(drive::start(), Config::default()).unwrap()
}

#[test]
fn every_request_has_its_call() {
    let client = connected();
    let put = client
        .put("b", "value")
        .version("1")
        .durability(Durability::WriteBack);
    put.timeout(Duration::from_secs(60)).send().unwrap();
    client.put("a", "first").force().send().unwrap();
    let entry = client.get("b").send().unwrap().unwrap();
    assert_eq!(
        (&*entry.value, &*entry.metadata.version),
        (&b"value"[..], &b"1"[..])
    );
    assert_eq!(client.get("c").send().unwrap(), None);
    assert_eq!(client.metadata("b").send().unwrap().unwrap().version, "1");
    assert_eq!(client.version("b").send().unwrap().unwrap(), "1");
    let next = client.next("a").without_value().send().unwrap().unwrap();
    assert_eq!((next.metadata.key, next.value.len()), ("b".into(), 0));
    let previous = client.previous("b").send().unwrap().unwrap();
    assert_eq!(previous.metadata.key, "a");
    let wrong = client
        .put("b", "other")
        .expected_version("7")
        .version("8")
        .send();
    assert!(wrong.unwrap_err().is_version_mismatch());
    client.delete("b").expected_version("1").send().unwrap();
    assert!(client.delete("b").send().unwrap_err().is_not_found());
    client.delete("b").force().send().unwrap();
    client.noop().send().unwrap();
    client.flush().send().unwrap();
    let log = client.log(&[LogType::Messages]).send().unwrap();
    assert_eq!(log.parts.messages.unwrap(), "it goes well");
    assert_eq!(client.limits().max_key_size, Some(4096));
    assert_eq!(client.configuration().vendor.as_deref(), Some("Fake"));
    let count = client.run(|client| async move { client.all_keys().keys().collect().await });
    assert_eq!(count.unwrap().len(), 1);
}

#[test]
fn a_range_is_an_iterator_over_all_its_pages() {
    let client = connected();
    for number in 0..10 {
        client.put(format!("k{number}"), "").force().send().unwrap();
    }
    let keys: Result<Vec<_>, _> = client.prefix("k").keys().collect();
    let expected: Vec<String> = (0..10).map(|number| format!("k{number}")).collect();
    assert_eq!(keys.unwrap(), expected);
    let some = client
        .all_keys()
        .from(b"k3")
        .until(b"k9")
        .limit(5)
        .page(2)
        .keys();
    let some: Vec<_> = some.map(Result::unwrap).collect();
    assert_eq!(some, &expected[3..8]);
    assert_eq!(client.range("x"..).keys().count(), 0);
}

#[test]
fn a_batch_is_done_as_a_whole_or_names_what_was_wrong() {
    let client = connected();
    let mut batch = client.batch();
    assert!(batch.is_empty());
    batch.add(client.put("one", "1").version("1"));
    batch.add(client.put("two", "2").force());
    batch.check().unwrap();
    assert_eq!(batch.len(), 2);
    batch.commit().unwrap();
    assert_eq!(client.get("two").send().unwrap().unwrap().value, "2");
    let mut batch = client.batch();
    batch.add(client.delete("two").force());
    batch.add(client.put("one", "3").expected_version("9"));
    match batch.at_once().timeout(Duration::from_secs(60)).commit() {
        Err(BatchError::Operation { index, key, .. }) => {
            assert_eq!((index, &*key), (1, &b"one"[..]))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_thread_has_many_requests_in_flight_and_many_threads_share_a_connection() {
    let client = connected();
    let puts: Vec<_> = (0..200)
        .map(|number: u32| {
            client
                .put(number.to_string(), number.to_string())
                .force()
                .begin()
        })
        .collect();
    puts.into_iter().for_each(|put| put.wait().unwrap());
    std::thread::scope(|scope| {
        for first in 0..4 {
            let client = client.clone();
            scope.spawn(move || {
                for number in (first..200_u32).step_by(4) {
                    let entry = client.get(number.to_string()).send().unwrap().unwrap();
                    assert_eq!(entry.value, number.to_string());
                }
            });
        }
    });
}

#[test]
fn a_pending_answer_outlives_its_client_and_an_end_is_told() {
    let client = connected();
    let put = client.put("key", "value").force().begin();
    drop(client);
    put.wait().unwrap();
    // Nobody answers here, and then nobody is there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config {
        connect_timeout: Duration::from_millis(50),
        ..Config::default()
    };
    Client::connect(address, config.clone()).unwrap_err();
    drop(listener);
    let error = Client::connect(address, config).unwrap_err().to_string();
    assert!(error.contains(&address.to_string()), "{error}");
}

#[test]
fn a_request_that_is_not_answered_in_time_says_so_and_the_connection_goes_on() {
    let client = connected();
    let get = client
        .get(drive::UNANSWERED)
        .timeout(Duration::from_millis(20));
    let late = get.send();
    assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
    client.noop().send().unwrap();
    assert!(client.disconnected().is_none());
    let broken: Result<(), Error> = client.run(|_client| async { panic!("on purpose") });
    assert!(matches!(
        broken,
        Err(Error::Disconnected(Disconnected::Closed))
    ));
    client.noop().send().unwrap();
}

#[tokio::test]
async fn within_asynchronous_code_it_panics_and_says_why() {
    let address = drive::start();
    let tried = std::panic::catch_unwind(|| Client::connect(address, Config::default()));
    let why = tried.unwrap_err();
    let text = why.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let why = text.or_else(|| why.downcast_ref::<String>().cloned());
    let why = why.unwrap_or_default();
    assert!(why.contains("block the current thread"), "{why}");
    // On a thread that may wait it works.
    let address = drive::start();
    let there = tokio::task::spawn_blocking(move || {
        let client = Client::connect(address, Config::default()).unwrap();
        client.noop().send()
    });
    there.await.unwrap().unwrap();
}

#[test]
fn the_example_stores_a_folder_and_names_keys_without_a_file() {
    let client = connected();
    let root = std::env::temp_dir().join(format!("kinetic-backup-{}", std::process::id()));
    let folder = root.join("photos");
    std::fs::create_dir_all(folder.join("inner")).unwrap();
    for number in 0..40 {
        std::fs::write(folder.join(format!("{number}.txt")), number.to_string()).unwrap();
    }
    client.put("photos/gone.txt", "").force().send().unwrap();
    let (stored, strange) = backup_folder::backup(&client, &folder).unwrap();
    std::fs::remove_dir_all(&root).unwrap();
    assert_eq!((stored, strange), (40, vec!["photos/gone.txt".to_owned()]));
    let entry = client.get("photos/39.txt").send().unwrap().unwrap();
    assert_eq!(entry.value, "39");
}

#[test]
fn the_example_counts_each_time_once_however_many_count() {
    let client = connected();
    std::thread::scope(|scope| {
        for _counter in 0..4 {
            scope.spawn(|| {
                for _time in 0..25 {
                    counter::count_up(&client, "visitors").unwrap();
                }
            });
        }
    });
    let entry = client.get("visitors").send().unwrap().unwrap();
    assert_eq!(entry.value, "100");
}
