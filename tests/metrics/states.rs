//! What the drive says of its state, by metrics and by health, whatever becomes of it.

use kinetic_proto::schema::command::{Body, PowerManagement};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_simulator::disk::SyncFailure;
use kinetic_tests::admin::{ERASE, LOCK, UNLOCK};

use crate::http::{self, Answer};
use crate::{Watched, put};

const STATES: [&str; 6] = [
    "serving",
    "locked",
    "hibernating",
    "full",
    "stuck",
    "read_only",
];

impl Watched {
    fn health(&self) -> (u16, serde_json::Value) {
        let Answer { code, head, body } = http::get(self.metrics, "/health");
        assert!(head.contains("Content-Type: application/json"), "{head}");
        (code, serde_json::from_str(&body).expect("JSON"))
    }

    /// Both say that it is so, and nothing else.
    fn is(&self, state: &str, code: u16) {
        let (answered, json) = self.health();
        let said = |name: &str| json.get(name).and_then(serde_json::Value::as_str);
        assert_eq!((answered, said("state")), (code, Some(state)), "{json}");
        let has_reason = said("reason").is_some_and(|text| !text.is_empty());
        assert_eq!(has_reason, state != "serving", "{json}");
        let scrape = self.scrape();
        for one in STATES {
            let value = scrape.value(&format!("kinetic_drive_state{{state=\"{one}\"}}"));
            assert_eq!(value, f64::from(u8::from(one == state)), "{one}");
        }
    }
}

#[test]
fn a_locked_drive_is_well_and_an_erased_one_serves_and_counts_on() {
    let watched = Watched::start();
    let mut talk = watched.talk();
    put(&mut talk, b"key", &[1; 1000]).success();
    watched.is("serving", 200);
    let puts = "kinetic_requests_total{type=\"PUT\",code=\"SUCCESS\"}";
    let mut tls = watched.talk_tls();
    tls.pin_operation(LOCK, Some(b"1234")).success();
    watched.is("locked", 200);
    let locked = watched.scrape();
    assert_eq!(locked.value(puts), 1.0);
    assert!(!locked.families.contains_key("kinetic_capacity_bytes"));
    tls.pin_operation(UNLOCK, Some(b"1234")).success();
    watched.is("serving", 200);
    tls.pin_operation(ERASE, Some(b"")).success();
    watched.is("serving", 200);
    let erased = watched.scrape();
    assert_eq!(erased.value(puts), 1.0);
    assert_eq!(
        erased.value("kinetic_put_bytes_total"),
        0.0,
        "it is another store"
    );
    assert_eq!(erased.value("kinetic_write_amplification_ratio"), 0.0);
}

#[test]
fn a_drive_that_hibernates_is_well_and_says_that_it_serves_nothing() {
    let watched = Watched::start();
    let mut talk = watched.talk();
    let mut set = |level: i32| {
        let power = PowerManagement { level: Some(level) };
        let body = Body {
            power: Some(power),
            ..Body::default()
        };
        talk.ask(MessageType::SET_POWER_LEVEL, body, &[]).success();
    };
    set(2);
    watched.is("hibernating", 200);
    set(1);
    watched.is("serving", 200);
}

#[test]
fn a_failed_sync_is_no_health_and_reading_goes_on() {
    let watched = Watched::start();
    let mut talk = watched.talk();
    put(&mut talk, b"key", b"value").success();
    watched.disk.fail_sync(1, SyncFailure::LosesAll);
    let reply = put(&mut talk, b"lost", b"value");
    assert_eq!(reply.code(), StatusCode::INTERNAL_ERROR);
    watched.is("read_only", 503);
    talk.get(b"key").success();
    assert!(
        watched.health().1["reason"]
            .as_str()
            .unwrap()
            .contains("sync")
    );
}

#[test]
fn a_full_drive_is_well_and_says_no_space() {
    let watched = Watched::start();
    let mut talk = watched.talk();
    let value = vec![7; 1 << 20];
    let full = (0..1000_u32).any(|number| {
        let reply = put(&mut talk, &number.to_be_bytes(), &value);
        match reply.code() {
            StatusCode::SUCCESS => false,
            code => {
                assert_eq!(code, StatusCode::NO_SPACE, "{}", reply.text());
                true
            }
        }
    });
    assert!(full, "more than it has room for");
    watched.is("full", 200);
    assert!(
        watched.health().1["reason"]
            .as_str()
            .unwrap()
            .contains("NO_SPACE")
    );
    let refused = "kinetic_requests_total{type=\"PUT\",code=\"NO_SPACE\"}";
    assert_eq!(watched.scrape().value(refused), 1.0);
}
