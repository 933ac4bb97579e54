//! SIGTERM in the middle of writes, of batches, and of answers that nobody reads.

use super::*;

#[test]
fn in_the_middle_of_a_pipeline_what_was_acknowledged_is_kept() {
    const COUNT: u64 = 3000;
    let target = Target::new();
    let mut talk = target.talk();
    // Sequence n + 1 stores key n.
    let bytes: Vec<u8> = (0..COUNT)
        .flat_map(|number| put(&mut talk, number, None))
        .collect();
    talk.raw().send(&bytes).expect("it is sent");
    talk.answer().success();
    let mut acknowledged = BTreeSet::new();
    let target = target.restarted(|| {
        for reply in to_the_end(talk.raw()) {
            let sequence = reply.header().ack_sequence.expect("a sequence");
            if reply.code() == StatusCode::SUCCESS {
                acknowledged.insert(sequence - 1);
            }
        }
    });
    assert!(!acknowledged.is_empty());
    let stored = stored(&target, COUNT);
    assert!(
        stored.is_superset(&acknowledged),
        "an acknowledged write is lost"
    );
    target.still_serves();
}

#[test]
fn in_the_middle_of_an_open_batch_nothing_of_it_is_done() {
    let target = Target::new();
    let mut talk = target.talk();
    let mut bytes = of_batch(&mut talk, MessageType::START_BATCH, 1);
    for number in 0..100 {
        bytes.extend(put(&mut talk, number, Some(1)));
    }
    talk.raw().send(&bytes).expect("it is sent");
    talk.answer().success();
    // All of it has come by the time that this is answered.
    talk.noop().success();
    let target = target.restarted(|| {
        assert!(to_the_end(talk.raw()).is_empty(), "members have no answers");
    });
    assert!(stored(&target, 100).is_empty(), "half a batch");
    target.still_serves();
}

#[test]
fn in_the_middle_of_many_batches_each_is_done_whole_or_not_at_all() {
    const BATCHES: u64 = 60;
    const EACH: u64 = 20;
    let target = Target::new();
    let mut talk = target.talk();
    let mut bytes = Vec::new();
    for batch in 0..BATCHES {
        let id = u32::try_from(batch).expect("a small number");
        bytes.extend(of_batch(&mut talk, MessageType::START_BATCH, id));
        for number in 0..EACH {
            bytes.extend(put(&mut talk, batch * EACH + number, Some(id)));
        }
        bytes.extend(of_batch(&mut talk, MessageType::END_BATCH, id));
    }
    talk.raw().send(&bytes).expect("it is sent");
    talk.answer().success();
    // Batch n ends with sequence (n + 1) * (EACH + 2).
    let mut acknowledged = BTreeSet::new();
    let target = target.restarted(|| {
        for reply in to_the_end(talk.raw()) {
            let sequence = reply.header().ack_sequence.expect("a sequence");
            if reply.body().batch.is_some() && reply.code() == StatusCode::SUCCESS {
                acknowledged.insert(sequence / (EACH + 2) - 1);
            }
        }
    });
    let stored = stored(&target, BATCHES * EACH);
    for batch in 0..BATCHES {
        let members = batch * EACH..(batch + 1) * EACH;
        let kept = members.filter(|number| stored.contains(number)).count() as u64;
        assert!(kept == 0 || kept == EACH, "{kept} of batch {batch}");
        assert!(
            kept == EACH || !acknowledged.contains(&batch),
            "batch {batch} is lost"
        );
    }
    target.still_serves();
}

#[test]
fn while_batches_of_many_connections_are_open_nothing_of_them_is_done() {
    const PEERS: u64 = 40;
    let target = Target::new();
    let mut peers: Vec<Conversation> = (0..PEERS).map(|_| target.talk()).collect();
    for (number, talk) in (0..).zip(&mut peers) {
        let mut bytes = of_batch(talk, MessageType::START_BATCH, 1);
        bytes.extend(put(talk, number, Some(1)));
        talk.raw().send(&bytes).expect("it is sent");
        talk.answer().success();
    }
    let target = target.restarted(|| {
        for (number, talk) in (0..).zip(&mut peers) {
            // Some go on with their batches until they hear of the end.
            let more = put(talk, number, Some(1));
            if number % 2 == 0 {
                let _ = talk.raw().send(&more);
            }
            assert!(to_the_end(talk.raw()).is_empty());
        }
    });
    assert!(stored(&target, PEERS).is_empty());
    target.still_serves();
}

/// The acknowledged writes among what has come by the end, however that comes.
fn acknowledged_at_last(connection: &mut RawConnection) -> BTreeSet<u64> {
    let put = MessageType::PUT.response().map(i32::from);
    let mut acknowledged = BTreeSet::new();
    while let Ok(Answer::Frame(frame)) = connection.read() {
        let reply = Reply::of(&frame);
        let is_put = reply.header().message_type == put;
        if is_put && reply.code() == StatusCode::SUCCESS {
            acknowledged.extend(reply.header().ack_sequence);
        }
    }
    acknowledged
}

#[test]
fn while_ten_thousand_requests_are_in_flight_and_no_answer_is_read() {
    const PEERS: usize = 2;
    const REQUESTS: u64 = 10_000;
    let target = Target::new();
    target.talk().put(b"large", &[7; 20_000]).success();
    let mut peers: Vec<Conversation> = (0..PEERS).map(|_| target.talk()).collect();
    // Every other one is a write; the sequence is its key. The answers are far more than sockets
    // and the drive hold for a peer.
    for talk in &mut peers {
        let first = put(talk, 1, None);
        talk.raw().send(&first).expect("it is sent");
        talk.answer();
        let requests = (2..=REQUESTS).map(|sequence| {
            if sequence % 2 == 1 {
                return put(talk, sequence, None);
            }
            let get = talk.command(MessageType::GET, about(key_only(b"large")));
            request(&get, &[])
        });
        let bytes: Vec<u8> = requests.flatten().collect();
        talk.raw().send(&bytes).expect("it is sent");
    }
    target.still_serves();
    let target = target.restarted(|| ());
    let mut acknowledged: BTreeSet<u64> = peers
        .iter_mut()
        .flat_map(|talk| acknowledged_at_last(talk.raw()))
        .collect();
    acknowledged.insert(1);
    let stored = stored(&target, REQUESTS);
    assert!(stored.is_superset(&acknowledged), "a write is lost");
    target.still_serves();
}
