//! `acl get|set|add|remove`: a list as it is shown, changed and set again.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Served;
use crate::kinetic::Said;

/// Identity 1 keeps everything, 7 reads photos under TLS.
const LIST: &str = r#"
[[identities]]
identity = 1
key = "asdfasdf"
[[identities.scopes]]
permissions = ["all"]
[[identities]]
identity = 7
key = "s3cret"
max_priority = 5
[[identities.scopes]]
permissions = ["read", "range"]
value = "photos/"
offset = 2
tls_required = true
"#;

impl Served {
    fn acl<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A]) -> Said {
        let acl = self.secured().args(["acl"]);
        acl.args(arguments).run()
    }

    fn set_list(&self, file: &Path) {
        let set = self.secured().args(["acl", "set", "--yes"]);
        set.args([file]).run().done();
    }

    /// A drive with the list.
    fn listed() -> Self {
        let served = Self::new();
        let file = served.path("list.toml");
        fs::write(&file, LIST).expect("a file");
        served.set_list(&file);
        served
    }

    /// Numbers of the identities.
    fn identities(&self) -> Vec<i64> {
        let said = self.acl(&["get", "--output", "json"]).done();
        let list = said.json();
        let list = list.get("identities").and_then(Value::as_array);
        let numbers = list
            .expect("a list")
            .iter()
            .map(|one| one.get("identity")?.as_i64());
        numbers.collect::<Option<_>>().expect("numbers")
    }

    /// Whether identity 7 gets past the drive's check of its signature.
    #[track_caller]
    fn knows_seven(&self, key: &str) -> bool {
        let ping = self.kinetic().args(["--identity", "7", "ping"]);
        let said = ping.env("KINETIC_KEY", key).run();
        if said.err.is_empty() {
            said.done();
            return true;
        }
        said.fails(6, &["HMAC_FAILURE"]);
        false
    }
}

#[test]
fn what_get_shows_is_set_again_once_the_keys_are_filled_in() {
    let served = Served::listed();
    let shown = served.acl(&["get"]).done();
    assert!(!shown.text().contains("s3cret"), "{shown}");
    assert!(!shown.text().contains("asdfasdf"), "{shown}");
    let file = served.path("shown.toml");
    fs::write(&file, &shown.out).expect("a file");
    let set = served.secured().args(["acl", "set", "--yes"]);
    set.args([&file])
        .run()
        .fails(2, &["identity 1", "key_file"]);
    let mut keys = ["key = \"asdfasdf\"", "key = \"other\""].into_iter();
    let with_keys: Vec<&str> = shown
        .lines()
        .into_iter()
        .map(|line| match line.starts_with("# key_file") {
            true => keys.next().expect("two identities"),
            false => line,
        })
        .collect();
    fs::write(&file, with_keys.join("\n")).expect("a file");
    served.set_list(&file);
    assert!(served.knows_seven("other") && !served.knows_seven("s3cret"));
    let again = served.acl(&["get"]).done();
    assert_eq!(again.text(), shown.text(), "nothing else changed");
}

#[test]
fn the_json_of_get_is_set_again_as_well() {
    let served = Served::listed();
    let shown = served.acl(&["get", "--output", "json"]).done();
    let mut list = shown.json();
    assert_eq!(list["ok"], true);
    let seven = &list["identities"][1];
    assert_eq!(seven["key"], Value::Null, "{shown}");
    assert_eq!(seven["hmac_algorithm"], "HmacSHA1", "{shown}");
    assert_eq!(seven["max_priority"], 5, "{shown}");
    assert_eq!(seven["scopes"][0]["value"], "photos/", "{shown}");
    assert_eq!(seven["scopes"][0]["offset"], 2, "{shown}");
    assert_eq!(seven["scopes"][0]["tls_required"], true, "{shown}");
    for (at, key) in [(0, "asdfasdf"), (1, "other")] {
        list["identities"][at]["key"] = key.into();
    }
    let file = served.path("list.json");
    fs::write(&file, list.to_string()).expect("a file");
    served.set_list(&file);
    assert!(served.knows_seven("other"));
    let again = served.acl(&["get", "--output", "json"]).done();
    assert_eq!(again.text(), shown.text(), "nothing else changed");
}

#[test]
fn each_of_several_drives_shows_its_own_list() {
    let (one, other) = (Served::new(), Served::listed());
    let (first, second) = (one.drive.tls(), other.drive.tls());
    let both = format!("{first},{second}");
    let get = || {
        let get = crate::kinetic::Kinetic::new().args(["--insecure-tls", "acl", "get"]);
        get.args(["--drive", &both])
    };
    let shown = get().run().done();
    let heads = shown.lines();
    let heads: Vec<_> = heads
        .iter()
        .filter(|line| line.starts_with("# 127"))
        .collect();
    assert_eq!(heads, [&format!("# {first}"), &format!("# {second}")]);
    let lines = get().args(["--output", "json"]).run().done().json_lines();
    let counts = lines
        .iter()
        .map(|line| line["identities"].as_array().map(Vec::len));
    assert_eq!(counts.collect::<Vec<_>>(), [Some(1), Some(2)]);
}

#[test]
fn who_may_not_change_the_list_may_not_read_it_nor_may_anybody_without_tls() {
    let served = Served::listed();
    served
        .run(&["acl", "get"])
        .fails(2, &["under TLS", "--fingerprint"]);
    let seven = served.secured().args(["--identity", "7", "acl", "get"]);
    let said = seven.env("KINETIC_KEY", "s3cret").run();
    said.fails(6, &["permission denied", "--identity"]);
}

#[test]
fn remove_takes_an_identity_out_of_the_list() {
    let served = Served::listed();
    assert!(served.knows_seven("s3cret"));
    let said = served.acl(&["remove", "8", "--yes"]);
    said.fails(3, &["identity 8", "nothing was done", "kinetic acl get"]);
    let said = served.acl(&["remove", "7", "8", "--yes"]);
    said.fails(3, &["identity 8", "nothing was done"]);
    assert!(served.knows_seven("s3cret"));
    let said = served.acl(&["remove", "7", "--yes"]).done();
    assert!(said.text().ends_with(": removed\n"), "{said}");
    assert_eq!(served.identities(), [1]);
    assert!(!served.knows_seven("s3cret"));
    // Nobody could ever change the list again.
    let said = served.acl(&["remove", "1", "--yes"]);
    said.fails(1, &["SECURITY"]);
    assert_eq!(served.identities(), [1]);
}
