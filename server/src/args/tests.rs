//! What flags and files come to together.

use super::*;

fn settle(flags: &[&str], file: &str) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kineticd.toml");
    fs::write(&path, file).unwrap();
    let path = path.to_string_lossy().into_owned();
    let head = ["kineticd", "drive.img", "--config", &path];
    let all = head.iter().chain(flags);
    Args::try_parse_from(all).unwrap().settle()
}

#[test]
fn flags_win_over_the_file() {
    let file = "listen = '127.0.0.1:1'\nsize = '1GiB'\nmax-connections = 7\n";
    let settings = settle(&["--listen", "127.0.0.1:2"], file).unwrap();
    assert_eq!(settings.config.listen.port(), 2);
    assert_eq!(settings.new.size, ImageSize(1 << 30));
    assert_eq!(settings.new.seal, Seal::Sealed);
    assert_eq!(settings.config.max_connections, 7);
    assert_eq!(settings.greeting, Greeting::Text);
}

#[test]
fn a_factory_key_that_is_empty_or_too_long_is_refused_wherever_it_comes_from() {
    let long = "k".repeat(HMAC_KEY_BYTES + 1);
    for key in ["", &long] {
        let (flags, file) = (["--factory-key", key], format!("factory-key = '{key}'"));
        for refused in [settle(&flags, ""), settle(&[], &file)] {
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("KINETIC_FACTORY_KEY"), "{text}");
            assert!(text.contains(&format!("{} bytes", key.len())), "{text}");
        }
    }
    let longest = "k".repeat(HMAC_KEY_BYTES);
    let settings = settle(&["--factory-key", &longest], "").unwrap();
    assert_eq!(settings.config.factory_key, longest.as_bytes());
}

#[test]
fn limits_are_settings_and_must_make_sense() {
    let file = "max-batch-operations = 7\nmax-batch-bytes = 2000000\nmax-open-batches = 3\n";
    let batches = settle(&[], file).unwrap().config.batches;
    let expected = BatchLimits {
        operations: 7,
        deletes: 7,
        bytes: 2_000_000,
        open: 3,
    };
    assert_eq!(batches, expected);
    for (wrong, most) in [
        ("max-batch-operations = 4097", "4096"),
        ("max-batch-deletes = 4097", "4096"),
        ("max-batch-bytes = 33554433", "33554432"),
        ("max-batch-bytes = 1048576", "33554432"),
        ("max-open-batches = 0", "4096"),
        ("max-connections = 0", "1048576"),
        ("max-connections = 1048577", "1048576"),
    ] {
        let error = settle(&[], wrong).unwrap_err().to_string();
        let name = wrong.split(' ').next().unwrap();
        assert!(error.contains(name) && error.contains(most), "{error}");
    }
}

#[test]
fn metrics_are_off_unless_a_port_or_an_address_is_given() {
    let served = |flags: &[&str], file| settle(flags, file).map(|it| it.config.metrics);
    let at = |text: &str| Some(text.parse::<MetricsListen>().unwrap());
    assert_eq!(served(&[], "").unwrap(), None);
    assert_eq!(served(&[], "metrics = 9123").unwrap(), at("127.0.0.1:9123"));
    assert_eq!(served(&[], "metrics = '[::1]:1'").unwrap(), at("[::1]:1"));
    assert_eq!(served(&["--metrics", "7"], "metrics = 8").unwrap(), at("7"));
    let error = served(&[], "metrics = 'here'").unwrap_err().to_string();
    assert!(error.contains("metrics: `here`"), "{error}");
}

#[test]
fn the_manual_page_has_its_sections_and_each_flag() {
    let mut page = Vec::new();
    print_manual(&mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
        assert!(
            page.contains(&format!(".SH {section}")),
            "no {section}:\n{page}"
        );
    }
    for argument in Args::command().get_arguments() {
        if let Some(flag) = argument.get_long() {
            let flag = flag.replace('-', "\\-");
            assert!(page.contains(&flag), "no --{flag}");
        }
    }
}

#[test]
fn the_file_says_how_much_memory_values_may_take() {
    let bytes = |file| settle(&[], file).map(|settings| settings.options.value_cache_bytes);
    assert_eq!(bytes("").unwrap(), Options::default().value_cache_bytes);
    assert_eq!(bytes("value-cache = '8 MiB'").unwrap(), 8 << 20);
    assert_eq!(bytes("value-cache = '0'").unwrap(), 0);
    let error = bytes("value-cache = 'much'").unwrap_err().to_string();
    assert!(error.contains("value-cache: `much`"), "{error}");
}

#[test]
fn scrubs_are_some_days_apart_or_off() {
    let day = 24 * 3_600_000_000;
    let every = |flags: &[&str], file| settle(flags, file).unwrap().options.scrub_every_us;
    assert_eq!(every(&[], ""), 7 * day);
    assert_eq!(
        every(&["--scrub-every", "30"], "scrub-every = 'off'"),
        30 * day
    );
    assert_eq!(every(&[], "scrub-every = 'off'"), 0);
    for wrong in ["0", "3651", "often", "-1"] {
        let error = settle(&[], &format!("scrub-every = '{wrong}'")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(wrong) && text.contains("3650"), "{text}");
    }
}

#[test]
fn one_port_is_not_plain_and_tls_at_once() {
    for (plain, tls) in [
        ("127.0.0.1:8123", "127.0.0.1:8123"),
        ("0.0.0.0:8123", "127.0.0.1:8123"),
        ("127.0.0.1:8123", "[::]:8123"),
    ] {
        let flags = ["--listen", plain, "--tls-listen", tls];
        let error = settle(&flags, "").unwrap_err().to_string();
        assert!(
            error.contains("8123") && error.contains("--tls-listen"),
            "{error}"
        );
    }
    for (plain, tls) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:8123", "127.0.0.2:8123"),
        ("127.0.0.1:8123", "off"),
        ("127.0.0.1:8123", "OFF"),
    ] {
        settle(&["--listen", plain, "--tls-listen", tls], "").unwrap();
    }
}

#[test]
fn a_certificate_that_no_port_would_show_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let own = Certificate::of_drive("drive", Vec::new()).unwrap();
    let (certificate, key) = own.to_kept();
    let write = |name: &str, label: &str, der: Vec<u8>| {
        let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
        let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let certificate = write("cert.pem", "CERTIFICATE", certificate);
    let key = write("key.pem", "PRIVATE KEY", key);
    let flags = ["--tls-cert", &certificate, "--tls-key", &key];
    settle(&flags, "").unwrap();
    let error = settle(&flags, "tls-listen = 'off'\n").unwrap_err();
    assert!(
        matches!(error, SettingsError::CertificateWithoutTls),
        "{error}"
    );
}

#[test]
fn a_firmware_key_is_read_and_what_is_none_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("firmware.pem");
    // The public key of RFC 8032, test 1, as openssl writes it.
    let pem = "-----BEGIN PUBLIC KEY-----\n\
               MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
               -----END PUBLIC KEY-----\n";
    fs::write(&path, pem).unwrap();
    let name = path.to_string_lossy().into_owned();
    let settings = settle(&["--firmware-key", &name], "").unwrap();
    let key = settings.config.firmware_key.unwrap();
    assert_eq!(key[..4], [0xd7, 0x5a, 0x98, 0x01]);
    fs::write(&path, "no key").unwrap();
    let refused = settle(&["--firmware-key", &name], "").unwrap_err();
    assert!(refused.to_string().contains("openssl"), "{refused}");
}

#[test]
fn a_mistake_is_told_by_its_place_and_without_the_line_in_which_a_key_may_be() {
    for wrong in [
        "factory-key = \"s3cret",
        "factory-key = s3cret",
        "factory-key = ['s3cret'",
        "max-connections = 's3cret'",
    ] {
        let error = settle(&[], &format!("size = '1GiB'\n{wrong}\n"));
        let error = error.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("line 2, column"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_name_that_means_nothing_is_refused() {
    let error = settle(&[], "lisen = '127.0.0.1:1'")
        .unwrap_err()
        .to_string();
    assert!(error.contains("lisen"), "{error}");
}
