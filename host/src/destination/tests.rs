//! Which requests a grant lets out, by every way of writing an address that comes to mind.

use proptest::prelude::*;

use super::*;

fn grants(entries: &[&str]) -> Vec<Destination> {
    entries.iter().map(|entry| entry.parse().unwrap()).collect()
}

fn private(entry: &str) -> Destination {
    Destination::parse(entry, None, true).unwrap()
}

/// `https://host` split into what a guest hands over.
fn ask(grants: &[Destination], url: &str) -> Result<String, Refusal> {
    let (scheme, authority) = url.split_once("://").unwrap();
    admit(grants, scheme, authority).map(|target| target.to_string())
}

#[test]
fn a_granted_host_is_reached_by_its_scheme_and_port_alone() {
    let grants = grants(&[
        "api.example.com",
        "http://old.example.com",
        "x.example:8443",
    ]);
    for (url, reached) in [
        ("https://api.example.com", Some("https://api.example.com")),
        (
            "https://API.Example.COM:443",
            Some("https://api.example.com"),
        ),
        ("http://old.example.com", Some("http://old.example.com")),
        ("http://old.example.com:80", Some("http://old.example.com")),
        ("https://x.example:8443", Some("https://x.example:8443")),
        ("http://api.example.com", None),
        ("http://api.example.com:443", None),
        ("https://api.example.com:80", None),
        ("https://old.example.com", None),
        ("http://old.example.com:8080", None),
        ("https://x.example", None),
        ("https://api.example.com.evil.test", None),
        ("https://evil-api.example.com", None),
        ("https://api.example.com.", None),
        ("https://example.com", None),
    ] {
        assert_eq!(ask(&grants, url).ok().as_deref(), reached, "{url}");
    }
}

#[test]
fn names_are_compared_in_their_ascii_form() {
    let grants = grants(&["例子.测试", "Bücher.example"]);
    for url in [
        "https://例子.测试",
        "https://xn--fsqu00a.xn--0zwm56d",
        "https://bücher.example",
        "https://BÜCHER.example",
        "https://xn--bcher-kva.example",
    ] {
        assert!(ask(&grants, url).is_ok(), "{url}");
    }
}

#[test]
fn a_wildcard_covers_what_is_below_and_not_the_name_itself() {
    let grants = grants(&["*.example.com"]);
    for (url, is_granted) in [
        ("https://a.example.com", true),
        ("https://a.b.example.com", true),
        ("https://example.com", false),
        ("https://aexample.com", false),
        ("https://.example.com", false),
        ("https://a.example.com.evil.test", false),
        ("https://a.example.com:8443", false),
        ("http://a.example.com", false),
    ] {
        assert_eq!(ask(&grants, url).is_ok(), is_granted, "{url}");
    }
}

#[test]
fn what_is_not_a_plain_address_is_refused_before_it_is_compared() {
    let grants = grants(&["api.example.com"]);
    for url in [
        "https://user@api.example.com",
        "https://user:word@api.example.com",
        "https://api.example.com@evil.test",
        "https://:@api.example.com",
        "https://api.example.com/..",
        "https://evil.test\\@api.example.com",
        "https://evil.test#@api.example.com",
        "https://evil.test?api.example.com",
        "https://api.example.com\t",
        "https://api.exam\nple.com",
        "https://",
        "https://api.example.com:99999",
        "https://api.example.com:-1",
        "https://[fe80::1%25eth0]",
        "https://[fe80::1%eth0]",
        "https://*.example.com",
        "ftp://api.example.com",
        "file://api.example.com",
        "HTTPS+unix://api.example.com",
    ] {
        assert_eq!(ask(&grants, url), Err(Refusal::Address), "{url:?}");
    }
}

#[test]
fn an_address_in_whatever_spelling_is_that_address() {
    let by_name = grants(&["api.example.com", "*.example.com"]);
    let by_address = [private("127.0.0.1")];
    for spelling in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "①②⑦.0.0.1",
    ] {
        let url = format!("https://{spelling}");
        // A name never covers it, and it is never looked up.
        assert!(ask(&by_name, &url).is_err(), "{url}");
        assert_eq!(
            ask(&by_address, &url).as_deref(),
            Ok("https://127.0.0.1"),
            "{url}"
        );
    }
    for other in [
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::1]",
        "[64:ff9b::7f00:1]",
        "127.0.0.2",
        "localhost",
        "0",
        "0.0.0.0",
    ] {
        let url = format!("https://{other}");
        assert!(
            matches!(ask(&by_address, &url), Err(Refusal::NotGranted(_))),
            "{url}"
        );
    }
}

#[test]
fn every_address_of_a_name_is_filtered() {
    let addresses: Vec<SocketAddr> = [
        "127.0.0.1:1",
        "93.184.215.14:1",
        "[::1]:1",
        "169.254.169.254:1",
    ]
    .map(|text| text.parse().unwrap())
    .to_vec();
    let grants = grants(&["api.example.com:8443"]);
    let target = admit(&grants, "https", "api.example.com:8443").unwrap();
    // The port is the grant's, whatever the resolver says.
    let reachable = target.reachable(&addresses).unwrap();
    assert_eq!(reachable, ["93.184.215.14:8443".parse().unwrap()]);
    let refusal = target.reachable(&addresses[..1]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "https://api.example.com:8443 has only addresses that the plugin's grant `http` does not reach: 127.0.0.1 is loopback"
    );
    assert_eq!(target.reachable(&[]), Ok(Vec::new()));
}

#[test]
fn a_private_destination_reaches_ones_own_network_and_no_metadata_service() {
    let grants = [private("http://intern.example:8080")];
    let target = admit(&grants, "http", "intern.example:8080").unwrap();
    for (address, is_reached) in [
        ("10.0.0.5", true),
        ("127.0.0.1", true),
        ("100.64.3.4", true),
        ("fd12::1", true),
        ("8.8.8.8", true),
        ("169.254.169.254", false),
        ("100.100.100.200", false),
        ("fd00:ec2::254", false),
        ("0.0.0.0", false),
        ("::ffff:10.0.0.5", false),
        ("224.0.0.1", false),
    ] {
        let address = SocketAddr::new(address.parse().unwrap(), 0);
        assert_eq!(
            target.reachable(&[address]).is_ok(),
            is_reached,
            "{address}"
        );
    }
}

#[test]
fn the_word_private_holds_for_its_own_port_only() {
    let grants = [private("box.example:8080"), "box.example".parse().unwrap()];
    let inside = [SocketAddr::from(([10, 0, 0, 5], 0))];
    let reach = |authority| {
        admit(&grants, "https", authority)
            .unwrap()
            .reachable(&inside)
    };
    assert!(reach("box.example:8080").is_ok());
    assert!(reach("box.example").is_err());
}

#[test]
fn a_wrong_entry_says_what_would_be_right() {
    let told = |text: &str, port, is_private| {
        Destination::parse(text, port, is_private)
            .map(|entry| entry.to_string())
            .unwrap_or_else(|error| error.to_string())
    };
    let rows = [
        ("", None, false),
        ("ftp://a.example", None, false),
        ("https://a.example/path", None, false),
        ("user@a.example", None, false),
        ("*", None, false),
        ("*.com", None, false),
        ("a.*.com", None, false),
        ("*.10.0.0.1", None, false),
        ("a.example:0", None, false),
        ("a.example:80", Some(81), false),
        ("*.corp.example", None, true),
        ("10.0.0.5", None, false),
        ("localhost", None, true),
        ("[::1]:8080", None, true),
        ("http://10.0.0.5", Some(8080), true),
        ("169.254.169.254", None, true),
        ("[::ffff:10.0.0.5]", None, true),
        ("https://API.example.com:443", None, false),
    ];
    let lines: Vec<String> = rows
        .iter()
        .map(|(text, port, is_private)| format!("{text:?} -> {}", told(text, *port, *is_private)))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

proptest! {
    #[test]
    fn no_text_reaches_what_no_grant_names(authority in "\\PC{0,40}") {
        let grants = grants(&["api.example.com", "*.example.org"]);
        if let Ok(target) = admit(&grants, "https", &authority) {
            let host = target.host.to_string();
            prop_assert!(host == "api.example.com" || host.ends_with(".example.org"), "{}", host);
            prop_assert_eq!(target.port, 443);
            prop_assert!(target.literal().is_none());
        }
    }

    #[test]
    fn an_ipv4_address_in_any_radix_needs_its_own_grant(bits: u32) {
        let grants = grants(&["api.example.com", "*.example.org"]);
        let [a, b, c, d] = bits.to_be_bytes();
        for spelling in [
            format!("{bits}"), format!("{bits:#x}"), format!("0{bits:o}"),
            format!("{a:#x}.0{b:o}.{c}.{d}"), format!("{a}.{}", bits & 0xff_ffff),
            format!("[::ffff:{a}.{b}.{c}.{d}]"),
        ] {
            prop_assert!(admit(&grants, "https", &spelling).is_err(), "{}", spelling);
        }
    }

    #[test]
    fn an_entry_reads_again_as_it_is_written(text in "(https?://)?(\\*\\.)?[a-z0-9.-]{1,20}(:[0-9]{1,5})?") {
        if let Ok(entry) = text.parse::<Destination>() {
            prop_assert_eq!(entry.to_string().parse::<Destination>(), Ok(entry));
        }
    }

    #[test]
    fn an_admitted_request_is_admitted_again_by_its_one_spelling(authority in "[A-Za-z0-9.:%-]{1,30}") {
        let grants = grants(&["*.example.org", "a.example"]);
        if let Ok(target) = admit(&grants, "https", &authority) {
            prop_assert_eq!(admit(&grants, target.scheme(), &target.authority()), Ok(target));
        }
    }
}
