//! Several drives at a time: each is told of, and one failure makes the command fail.

use crate::Served;
use crate::kinetic::Kinetic;

#[test]
fn every_drive_is_told_of_in_the_order_of_the_command() {
    let (one, other) = (Served::new(), Served::new());
    let (first, second) = (one.drive.plain(), other.drive.plain());
    let both = format!("{first},{second}");
    let said = Kinetic::new().args(["--drive", &both, "cluster-version", "get"]);
    let said = said.run().done();
    assert_eq!(
        said.lines(),
        [format!("{first}: 0"), format!("{second}: 0")]
    );
    let twice = [
        "--drive",
        &second.to_string(),
        "--drive",
        &first.to_string(),
    ];
    let said = Kinetic::new().args(twice);
    let said = said.args(["cluster-version", "get", "--output", "json"]);
    let said = said.run().done();
    let drives: Vec<_> = said
        .json_lines()
        .into_iter()
        .map(|line| line["drive"].clone())
        .collect();
    assert_eq!(drives, [second.to_string(), first.to_string()]);
}

#[test]
fn a_drive_that_fails_stops_no_other_and_fails_the_command() {
    let served = Served::new();
    let (drive, absent) = (served.drive.plain(), "127.0.0.1:1");
    let both = format!("{absent},{drive}");
    let get = ["--drive", &both, "cluster-version", "get"];
    let said = Kinetic::new().args(get).run().exits(5);
    assert_eq!(said.lines(), [format!("{drive}: 0")]);
    assert!(said.err.contains(absent), "{said}");
    assert!(said.err.contains("1 of 2 drives failed"), "{said}");
    let said = Kinetic::new().args(get).args(["--output", "json"]).run();
    let said = said.exits(5);
    let lines = said.json_lines();
    assert_eq!(lines[0]["ok"], false, "{said}");
    assert_eq!(lines[0]["exit_code"], 5, "{said}");
    assert_eq!(lines[1]["ok"], true, "{said}");
}

#[test]
fn a_command_for_one_drive_refuses_several() {
    for command in [&["ping"][..], &["get", "a"], &["info"]] {
        let several = ["--drive", "127.0.0.1:1,127.0.0.1:2"];
        let said = Kinetic::new().args(several).args(command).run();
        said.fails(2, &["one drive", "2"]);
    }
}

#[test]
fn nothing_is_done_to_a_drive_without_consent() {
    let served = Served::new();
    let list = served.path("list.toml");
    let text = "[[identities]]\nidentity = 1\nkey = 'k'\n";
    std::fs::write(&list, text).expect("a file");
    let list = list.display().to_string();
    for command in [
        &["erase"][..],
        &["erase", "--secure"],
        &["lock"],
        &["pin", "set", "lock"],
        &["pin", "clear", "erase"],
        &["acl", "set", &list],
        &["acl", "remove", "1"],
        &["cluster-version", "set", "7"],
        &["firmware", &list],
    ] {
        let asked = served.secured().args(command).env("KINETIC_PIN", "1");
        let said = asked.env("KINETIC_NEW_PIN", "1").run();
        said.fails(2, &["nothing was done", "--yes"]);
    }
    served.run(&["ping"]).done();
}

#[test]
fn secrets_do_not_go_over_a_plain_connection() {
    let served = Served::new();
    let list = served.path("list.toml");
    let text = "[[identities]]\nidentity = 1\nkey = 'k'\n";
    std::fs::write(&list, text).expect("a file");
    let list = list.display().to_string();
    for command in [
        &["erase", "--yes"][..],
        &["lock", "--yes"],
        &["unlock"],
        &["pin", "set", "lock", "--yes"],
        &["pin", "clear", "erase", "--yes"],
        &["acl", "set", &list, "--yes"],
        &["acl", "add", &list],
        &["acl", "remove", "1", "--yes"],
    ] {
        let asked = served.kinetic().args(command).env("KINETIC_PIN", "1");
        let said = asked.env("KINETIC_NEW_PIN", "1").run();
        said.fails(2, &["under TLS", "--fingerprint", "8443"]);
    }
}
