//! `push` and `replicate`: what arrives, what is told of what does not, and where to go on.

use kinetic_tests::drive::Drive;

use crate::Served;

/// The address of a drive, as peers are named.
fn peer(served: &Served) -> String {
    served.drive.plain().to_string()
}

fn put(served: &Served, key: &str, value: &str) {
    let put = served.kinetic().args(["put", key, "--force"]);
    put.input(value.as_bytes()).run().done();
}

fn get(served: &Served, key: &str) -> String {
    served.run(&["get", key]).done().text().to_owned()
}

/// An address where nobody listens: of a port that was given out and is closed again.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}

#[test]
fn push_goes_from_peer_to_peer_and_is_silent_when_all_arrived() {
    let (a, b, c) = (Served::new(), Served::new(), Served::new());
    put(&a, "one", "first");
    put(&a, "two", "second");
    let said = a.run(&["push", "one", "two", "--to", &peer(&b), "--to", &peer(&c)]);
    assert_eq!(said.done().text(), "");
    for drive in [&b, &c] {
        assert_eq!(get(drive, "one"), "first");
        assert_eq!(get(drive, "two"), "second");
    }
    let renamed = [
        "push",
        "one",
        "--to-key",
        "uno",
        "--to",
        &format!("{},{}", peer(&b), peer(&c)),
    ];
    a.run(&renamed).done();
    assert_eq!(get(&c, "uno"), "first");
    let said = a.run(&["push", "one", "two", "--to-key", "x", "--to", &peer(&b)]);
    said.fails(2, &["--to-key"]);
}

#[test]
fn what_does_not_arrive_is_told_with_peer_and_reason() {
    let (a, b) = (Served::new(), Served::new());
    put(&a, "here", "1");
    let (there, gone) = (peer(&b), nobody());
    let said = a.run(&["push", "here", "missing", "--to", &there]).exits(8);
    let line = format!("missing  {there}  NOT_FOUND");
    assert!(said.text().starts_with(&line), "{said}");
    assert_eq!(said.text().lines().count(), 1, "{said}");
    let said = a.run(&["push", "here", "--to", &gone]).exits(8);
    assert!(said.text().contains("NOT_ATTEMPTED"), "{said}");
    assert!(said.text().contains("refused"), "{said}");
    let said = a.run(&["push", "here", "--to", "tls://:1"]);
    said.fails(2, &["HOST:PORT"]);
    // In JSON each key is told, with each peer.
    let json = a
        .run(&[
            "push", "here", "--force", "--to", &there, "--output", "json",
        ])
        .done();
    assert_eq!(json.json()["at"][0]["status"], "SUCCESS", "{json}");
    assert_eq!(json.json()["at"][0]["peer"], there.as_str(), "{json}");
}

#[test]
fn replicate_copies_a_range_both_ways_and_counts() {
    let (a, b, c) = (Served::new(), Served::new(), Served::new());
    {
        let mut talk = a.talk();
        for number in 0..300 {
            let (key, value) = (format!("photos/{number:03}"), format!("photo {number}"));
            talk.put(key.as_bytes(), value.as_bytes()).success();
        }
        talk.put(b"zebra", b"stays").success();
    }
    put(&c, "photos/007", "older");
    let to = ["--to", &peer(&b), "--to", &peer(&c)];
    for way in [
        &["--keys-per-push", "7"][..],
        &["--side-by-side", "--pushes", "2"],
    ] {
        let arguments = [&["replicate", "photos/"][..], &to, way].concat();
        let said = a.run(&arguments).done();
        assert_eq!(said.text(), "300 keys replicated to 2 drives\n");
        for drive in [&b, &c] {
            assert_eq!(drive.run(&["list"]).done().text().lines().count(), 300);
            assert_eq!(get(drive, "photos/007"), "photo 7");
        }
    }
    // On from a key, and before one.
    let part = [
        "replicate",
        "photos/",
        "--start",
        "photos/298",
        "--to",
        &peer(&b),
    ];
    let said = a.run(&part).done();
    assert_eq!(said.text(), "2 keys replicated to 1 drive\n");
}

#[test]
fn replicate_tells_what_did_not_arrive_and_a_second_run_completes_it() {
    let (a, b) = (Served::new(), Served::new());
    for key in ["one", "two"] {
        put(&a, key, key);
    }
    let image = b.path("third.img");
    let c = Drive::start(&image, &["--size", "256MiB"]).expect("a drive");
    let listen = c.plain().to_string();
    assert!(c.stop().expect("a stop").success());
    let to = ["replicate", "--to", &peer(&b), "--to", &listen];
    let said = a.run(&to).exits(8);
    assert!(said.to_string().contains("run it again"), "{said}");
    let told: Vec<&str> = said.text().lines().collect();
    assert!(
        told[0].starts_with(&format!("one  {listen}  NOT_ATTEMPTED: REMOTE_CON")),
        "{said}"
    );
    assert_eq!(told[2], "0 keys replicated to 2 drives", "{said}");
    assert_eq!(get(&b, "two"), "two");
    // Only what has a version there is kept, if that is asked for.
    let versioned = ["put", "one", "--version", "7", "--force"];
    b.kinetic().args(versioned).input(b"newer").run().done();
    let keep = ["replicate", "--keep-versioned", "--to", &peer(&b)];
    let said = a.run(&keep).exits(8);
    assert!(said.text().contains("VERSION_MISMATCH"), "{said}");
    assert_eq!(get(&b, "one"), "newer");
    a.run(&["replicate", "--to", &peer(&b)]).done();
    assert_eq!(get(&b, "one"), "one");
}

#[test]
fn replicate_of_what_differs_sends_that_and_nothing_else() {
    let (a, b) = (Served::new(), Served::new());
    for key in ["alike", "lacking", "otherwise"] {
        put(&a, key, key);
    }
    put(&b, "alike", "ALIKE");
    put(&b, "otherwise", "older");
    put(&b, "of its own", "");
    let there = peer(&b);
    let differing = ["replicate", "--differing", "--to", &there];
    assert_eq!(a.run(&differing).done().text(), "2 keys sent to 1 drive\n");
    assert_eq!(get(&b, "lacking"), "lacking");
    assert_eq!(get(&b, "otherwise"), "otherwise");
    assert_eq!(get(&b, "of its own"), "");
    // Values of one length are alike until they are looked at.
    assert_eq!(get(&b, "alike"), "ALIKE");
    let values = [&differing[..], &["--values", "--output", "json"]].concat();
    let said = a.run(&values).done();
    let summary = said.text().lines().last().unwrap_or_default().to_owned();
    assert!(summary.contains("\"keys\":1"), "{said}");
    assert_eq!(get(&b, "alike"), "alike");
    assert_eq!(a.run(&differing).done().text(), "0 keys sent to 1 drive\n");
    let tls = ["replicate", "--differing", "--to", "tls://localhost:1"];
    a.run(&tls).fails(2, &["--fingerprint"]);
    let gone = nobody();
    a.run(&["replicate", "--differing", "--to", &gone])
        .fails(5, &[&gone]);
}
