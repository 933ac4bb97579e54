//! Power levels, and priorities as an option of every command.

use crate::Served;

#[test]
fn a_drive_is_put_to_sleep_and_woken_and_says_which() {
    let served = Served::new();
    let power = |words: &[&str]| served.kinetic().args(["power"]).args(words).run();
    assert!(power(&[]).done().text().ends_with(": on\n"));
    power(&["hibernate"]).fails(2, &["nothing was done", "--yes"]);
    assert!(
        power(&["hibernate", "--yes"])
            .done()
            .text()
            .ends_with(": hibernates\n")
    );
    assert!(power(&[]).done().text().ends_with(": hibernates\n"));
    let ping = served.kinetic().args(["ping"]).run();
    ping.fails(1, &["HIBERNATE", "kinetic power on"]);
    let info = served.kinetic().args(["info"]).run().done();
    assert!(info.text().contains("kinetic power on"), "{}", info.text());
    assert!(power(&["on"]).done().text().ends_with(": on\n"));
    served.kinetic().args(["ping"]).run().done();
}

#[test]
fn a_drive_is_shut_down_after_consent_only() {
    let served = Served::new();
    let power = |words: &[&str]| served.kinetic().args(["power"]).args(words).run();
    power(&["shutdown"]).fails(2, &["nothing was done", "--yes"]);
    served.kinetic().args(["ping"]).run().done();
    assert!(
        power(&["shutdown", "--yes"])
            .done()
            .text()
            .ends_with(": shut down\n")
    );
}

#[test]
fn every_command_takes_a_priority() {
    let served = Served::new();
    let put = served.kinetic().args(["--priority", "9", "put", "a"]);
    put.input(b"x").run().done();
    let get = served.kinetic().args(["get", "a", "--priority", "1"]).run();
    assert_eq!(get.done().out, b"x");
    let ping = served.kinetic().args(["ping", "--priority", "10"]).run();
    ping.fails(2, &["1 to 9"]);
}
