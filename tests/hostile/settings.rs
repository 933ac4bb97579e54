//! Settings that cannot be written, because the host has no room or its disk fails: what is in
//! force then, what the answer says, and what a restart finds.

use bytes::Bytes;
use kinetic_proto::schema::command::security::Acl;
use kinetic_proto::schema::command::security::acl::Scope;
use kinetic_proto::schema::command::{Body, Security, Setup};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_simulator::disk::SyncFailure;
use kinetic_tests::conversation::{Conversation, Reply};

use crate::disks::{Patient, disk};

/// A list with one identity, which may do nothing but change it.
fn set_list(talk: &mut Conversation) -> Reply {
    let security = Scope {
        permission: vec![8],
        ..Scope::default()
    };
    let other = Acl {
        identity: Some(9),
        key: Some(Bytes::from_static(b"nine")),
        hmac_algorithm: Some(1),
        scope: vec![security],
        max_priority: None,
    };
    ask_security(
        talk,
        Security {
            acl: vec![other],
            security_op_type: Some(1),
            ..Security::default()
        },
    )
}

fn set_erase_pin(talk: &mut Conversation) -> Reply {
    ask_security(
        talk,
        Security {
            new_erase_pin: Some(Bytes::from_static(b"1234")),
            security_op_type: Some(2),
            ..Security::default()
        },
    )
}

fn ask_security(talk: &mut Conversation, security: Security) -> Reply {
    let body = Body {
        security: Some(Box::new(security)),
        ..Body::default()
    };
    talk.ask(MessageType::SECURITY, body, &[])
}

fn set_cluster_version(talk: &mut Conversation) -> Reply {
    let setup = Setup {
        new_cluster_version: Some(7),
        ..Setup::default()
    };
    let body = Body {
        setup: Some(setup),
        ..Body::default()
    };
    talk.ask(MessageType::SETUP, body, &[])
}

const CHANGES: [fn(&mut Conversation) -> Reply; 3] = [set_list, set_erase_pin, set_cluster_version];

/// Identity 1 has its old key and the cluster version is 0, for old connections and new.
fn old_settings_are_in_force(patient: &Patient, talk: &mut Conversation) {
    talk.noop().success();
    let mut new = patient.talk_tls();
    assert_eq!(
        new.hello()
            .command
            .header
            .and_then(|one| one.cluster_version),
        Some(0)
    );
    new.noop().success();
    let mut nine = patient.talk_tls().speaking_as(9, b"nine");
    nine.send(MessageType::NOOP, Body::default(), &[]);
    assert_eq!(nine.farewell().code(), StatusCode::HMAC_FAILURE);
}

fn restarted(patient: Patient) -> Patient {
    let disk = patient.disk.clone();
    // Whether everything else is on the disk is not what this is about.
    let _is_whole = patient.stop();
    Patient::start(disk)
}

#[test]
fn without_room_for_new_settings_the_old_ones_stay_and_the_answer_says_so() {
    let patient = Patient::start(disk());
    let mut talk = patient.talk_tls();
    patient.disk.fail_writes(1, u64::MAX);
    for change in CHANGES {
        let reply = change(&mut talk);
        assert_eq!(reply.code(), StatusCode::NO_SPACE, "{}", reply.text());
        assert!(reply.text().contains("settings"), "{}", reply.text());
        old_settings_are_in_force(&patient, &mut talk);
    }
    patient.disk.clear_faults();
    drop(talk);
    let patient = restarted(patient);
    let mut talk = patient.talk_tls();
    old_settings_are_in_force(&patient, &mut talk);
    // No PIN is set, so none is needed.
    set_cluster_version(&mut talk).success();
    talk.pin_operation(3, None).success();
}

#[test]
fn settings_whose_sync_failed_are_not_in_force_nor_found_by_a_restart() {
    for change in CHANGES {
        let patient = Patient::start(disk());
        let mut talk = patient.talk_tls();
        patient.disk.fail_sync(1, SyncFailure::LosesSome);
        let reply = change(&mut talk);
        assert_eq!(reply.code(), StatusCode::INTERNAL_ERROR, "{}", reply.text());
        assert!(reply.text().contains("settings"), "{}", reply.text());
        old_settings_are_in_force(&patient, &mut talk);
        // From now on it takes no settings at all, and says why.
        let reply = set_cluster_version(&mut talk);
        assert_eq!(reply.code(), StatusCode::INTERNAL_ERROR);
        assert!(reply.text().contains("read-only"), "{}", reply.text());
        patient.disk.clear_faults();
        drop(talk);
        let patient = restarted(patient);
        let mut talk = patient.talk_tls();
        old_settings_are_in_force(&patient, &mut talk);
        change(&mut talk).success();
    }
}
