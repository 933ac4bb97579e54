//! Identities, PINs, lock, erase, cluster version and firmware, as an operator uses them.

use std::fs;

use crate::Served;
use crate::kinetic::{Kinetic, Said};

/// Identity 1 keeps everything, identity 7 may read.
const LIST: &str = r#"
[[identities]]
identity = 1
key = "asdfasdf"
[[identities.scopes]]
permissions = ["all"]
[[identities]]
identity = 7
key_file = "seven.key"
[[identities.scopes]]
permissions = ["read"]
"#;

impl Served {
    /// A drive with one key, and the command's files beside it.
    fn with_list() -> (Self, String) {
        let served = Self::new();
        let put = served.kinetic().args(["put", "a"]);
        put.input(b"x").run().done();
        let list = served.path("list.toml");
        fs::write(&list, LIST).expect("a file");
        fs::write(served.path("seven.key"), "s3cret\n").expect("a file");
        let list = list.display().to_string();
        (served, list)
    }

    /// The command under TLS, with a PIN in its environment.
    fn with_pin(&self, pin: &str, command: &[&str]) -> Said {
        let kinetic = self.secured().args(command);
        kinetic.env("KINETIC_PIN", pin).run()
    }

    fn set_pin(&self, kind: &str, pin: &str) {
        let set = self.secured().args(["pin", "set", kind, "--yes"]);
        set.env("KINETIC_NEW_PIN", pin).run().done();
    }

    /// The command as identity 7.
    fn seven(&self) -> Kinetic {
        let seven = self.kinetic().args(["--identity", "7"]);
        seven.env("KINETIC_KEY", "s3cret")
    }
}

#[test]
fn a_list_lets_an_identity_in_and_removing_it_shuts_it_out() {
    let (served, list) = Served::with_list();
    served.seven().args(["get", "a"]).run().fails(6, &[]);
    let set = served.secured().args(["acl", "set", &list, "--yes"]);
    assert!(set.run().done().text().ends_with(": set\n"));
    assert_eq!(served.seven().args(["get", "a"]).run().done().out, b"x");
    let refused = served.seven().args(["delete", "a"]).run();
    refused.fails(6, &["permission denied", "--identity"]);

    let nine = served.path("nine.json");
    let text = r#"{"identities": [{"identity": 9, "key": "k",
        "scopes": [{"permissions": ["read"], "value": "a"}]}]}"#;
    fs::write(&nine, text).expect("a file");
    let add = served.secured().args(["acl", "add"]).args([&nine]);
    add.run().done();
    let nine = || {
        served
            .kinetic()
            .args(["--identity", "9"])
            .env("KINETIC_KEY", "k")
    };
    nine().args(["get", "a"]).run().done();
    nine()
        .args(["get", "b"])
        .run()
        .fails(6, &["permission denied"]);
    // Who was there before is there still.
    served.seven().args(["get", "a"]).run().done();

    let remove = served.secured().args(["acl", "remove", "7", "--yes"]);
    remove.run().done();
    served.seven().args(["get", "a"]).run().fails(6, &[]);
    nine().args(["get", "a"]).run().done();
}

#[test]
fn info_shows_what_an_identity_may_see_and_says_what_it_may_not() {
    let (served, list) = Served::with_list();
    let set = served.secured().args(["acl", "set", &list, "--yes"]);
    set.run().done();
    let info = || served.seven().args(["info", "--output", "json"]).run();
    let said = info().done();
    let shown = said.json();
    assert_eq!(shown["connection"]["identity"], 7, "{said}");
    assert_eq!(shown["limits"]["max_key_size"], 4096, "{said}");
    assert!(shown["capacity"].is_null(), "{said}");
    let missing = shown["not_shown"].as_str().unwrap_or_default();
    assert!(
        missing.contains("capacity") && missing.contains("getlog"),
        "{said}"
    );
    served.with_pin("1234", &["lock", "--yes"]).done();
    let said = info().done();
    let missing = said.json()["not_shown"].clone();
    let missing = missing.as_str().unwrap_or_default();
    assert!(missing.contains("kinetic unlock"), "{said}");
    // What it may not see is nobody's business who has no key at all.
    let stranger = served.kinetic().args(["--identity", "8", "info"]).run();
    stranger.fails(6, &["HMAC_FAILURE"]);
}

#[test]
fn the_advice_for_a_wrong_pin_is_about_pins() {
    let (served, _) = Served::with_list();
    served.set_pin("lock", "1234");
    served.set_pin("erase", "1234");
    for command in [
        &["lock", "--yes"][..],
        &["erase", "--yes"],
        &["pin", "clear", "lock", "--yes"],
    ] {
        let said = served.with_pin("1", command);
        let said = said.exits(6);
        assert!(said.err.contains("--pin-file"), "{said}");
        assert!(!said.err.contains("identity"), "{said}");
    }
}

#[test]
fn info_no_longer_warns_once_the_factory_key_is_gone() {
    let (served, list) = Served::with_list();
    let other = LIST
        .replace("asdfasdf", "another")
        .replace("[\"read\"]", "[\"getlog\"]");
    fs::write(&list, other).expect("a file");
    served
        .secured()
        .args(["acl", "set", &list, "--yes"])
        .run()
        .done();
    let info = served
        .seven()
        .args(["info", "--output", "json"])
        .run()
        .done();
    assert_eq!(info.json()["connection"]["factory_key"], "no", "{info}");
    assert!(info.json()["warning"].is_null(), "{info}");
}

#[test]
fn a_locked_drive_serves_nobody_until_its_pin_unlocks_it() {
    let (served, _) = Served::with_list();
    served.set_pin("lock", "1234");
    served.with_pin("1", &["lock", "--yes"]).fails(6, &["PIN"]);
    let locked = served.with_pin("1234", &["lock", "--yes"]).done();
    assert!(locked.text().ends_with(": locked\n"), "{locked}");
    served.run(&["get", "a"]).fails(1, &["kinetic unlock"]);
    let info = served.secured().args(["info", "--output", "json"]).run();
    let info = info.done().json();
    assert_eq!(info["connection"]["locked"], "yes", "{info}");
    assert_eq!(info["connection"]["cluster_version"], 0, "{info}");
    assert!(
        info["connection"]["certificate_sha256"].is_string(),
        "{info}"
    );
    assert!(info["configuration"]["serial_number"].is_string(), "{info}");
    assert_eq!(info["limits"]["max_key_size"], 4096, "{info}");
    served.with_pin("1", &["unlock"]).fails(6, &["PIN"]);
    let file = served.path("pin");
    fs::write(&file, "1234\n").expect("a file");
    let unlock = served.secured().args(["unlock", "--pin-file"]);
    unlock.args([&file]).run().done();
    assert_eq!(served.run(&["get", "a"]).done().out, b"x");
    served
        .with_pin("1234", &["pin", "clear", "lock", "--yes"])
        .done();
    served.with_pin("anything", &["lock", "--yes"]).done();
}

#[test]
fn an_erased_drive_is_as_it_left_the_factory() {
    let (served, list) = Served::with_list();
    served
        .secured()
        .args(["acl", "set", &list, "--yes"])
        .run()
        .done();
    served
        .secured()
        .args(["cluster-version", "set", "5", "--yes"])
        .run()
        .done();
    served.set_pin("erase", "1234");
    served.with_pin("", &["erase", "--yes"]).fails(6, &["PIN"]);
    served.run(&["get", "a"]).done();
    let erased = served.with_pin("1234", &["erase", "--secure", "--yes"]);
    assert!(erased.done().text().ends_with(": erased\n"));
    served.run(&["get", "a"]).fails(3, &[]);
    served.seven().args(["get", "a"]).run().fails(6, &[]);
    let version = served.run(&["cluster-version", "get"]).done();
    assert!(version.text().ends_with(": 0\n"), "{version}");
    // There is no PIN any more.
    served.with_pin("", &["erase", "--yes"]).done();
}

#[test]
fn a_cluster_version_is_set_and_then_demanded() {
    let served = Served::new();
    let set = ["cluster-version", "set", "5", "--yes"];
    let said = served.run(&set).done();
    assert!(said.text().ends_with(": 5\n"), "{said}");
    served
        .run(&["ping", "--cluster-version", "4"])
        .fails(1, &["5"]);
    served.run(&["ping"]).done();
}

#[test]
fn firmware_is_taken_and_told_of() {
    let served = Served::new();
    let image = served.path("image");
    fs::write(&image, [7; 3000]).expect("a file");
    let firmware = served.kinetic().args(["firmware", "--yes"]);
    firmware.args([&image]).run().done();
    let messages = served.run(&["log", "messages"]).done();
    assert!(messages.text().contains("3000"), "{messages}");
    let absent = served.kinetic().args(["firmware", "--yes", "/nowhere"]);
    absent.run().fails(7, &["/nowhere"]);
}
