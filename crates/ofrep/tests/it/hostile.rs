//! Questions and documents that are meant to hurt, over HTTP: each is refused or bounded, and the
//! server goes on. What they are bounded by stands in the tests of `ripcord-flags`.

use crate::client::{PATIENCE, eventually};
use crate::site::{Site, Wish, switch};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SINGLE: &str = "POST /ofrep/v1/evaluate/flags/a";
const BULK: &str = "POST /ofrep/v1/evaluate/flags";

/// More than any of these questions may take, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

fn check(site: &Site, body: &str, status: u16, code: &str) {
    for first in [SINGLE, BULK] {
        let began = Instant::now();
        let answer = site.ask(first, &[], body);
        let shown: String = body.chars().take(80).collect();
        assert_eq!(answer.status, status, "{first} {shown}: {}", answer.body);
        assert!(answer.body.contains(code), "{first} {shown}: {}", answer.body);
        assert!(began.elapsed() < SOON, "{first} {shown}: {:?}", began.elapsed());
    }
    assert!(site.is_on("a"), "it goes on");
}

#[test]
fn a_context_of_ten_megabytes_is_refused() {
    let site = Site::of(&switch("a", true));
    let text = "x".repeat(10 << 20);
    check(&site, &json!({"context": {"targetingKey": text}}).to_string(), 413, "errorDetails");
    // Within the size of a body, but more than a context may have.
    let wish = Wish { body_bytes_max: Some(32 << 20), ..Wish::default() };
    let site = Site::wish(&switch("a", true), &wish);
    check(&site, &json!({"context": {"targetingKey": text}}).to_string(), 400, "INVALID_CONTEXT");
    let values = json!({"context": {"list": vec![0; 1_000_000]}}).to_string();
    check(&site, &values, 400, "INVALID_CONTEXT");
}

#[test]
fn a_context_ten_thousand_levels_deep_is_refused() {
    let site = Site::of(&switch("a", true));
    for (open, inner, close) in [("[", "1", "]"), ("{\"a\":", "1", "}")] {
        let nested = |depth: usize| format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
        check(&site, &format!("{{\"context\":{{\"x\":{}}}}}", nested(10_000)), 400, "PARSE_ERROR");
        check(&site, &format!("{{\"context\":{{\"x\":{}}}}}", nested(60)), 400, "INVALID_CONTEXT");
    }
    check(&site, &"[".repeat(900_000), 400, "PARSE_ERROR");
}

#[test]
fn odd_letters_change_nothing() {
    let rules = json!({"if": [{"==": [{"var": "targetingKey"}, "\u{1F468}\u{200D}\u{1F469}"]},
        "on", {"fractional": [["on", 50], ["off", 50]]}]});
    let document = json!({"flags": {
        "a": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
        "b": {"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": "off", "targeting": rules}}});
    let site = Site::of(&document);
    let users = [
        "\u{0}",
        "\u{202E}abc",
        "e\u{301}",
        "\u{FEFF}",
        "\u{FFFF}",
        "\u{10FFFF}",
        "\u{D7FF}",
        "\u{1F468}\u{200D}\u{1F469}",
        "'; DROP TABLE flags; --",
        "\r\nx: y",
    ];
    for user in users {
        let body = json!({"context": {"targetingKey": user, user: user}}).to_string();
        let answer = site.ask("POST /ofrep/v1/evaluate/flags/b", &[], &body);
        assert_eq!(answer.status, 200, "{user:?}: {}", answer.body);
        let again = site.ask("POST /ofrep/v1/evaluate/flags/b", &[], &body);
        assert_eq!(again.body, answer.body, "{user:?}");
    }
    let family = json!({"context": {"targetingKey": users[7]}}).to_string();
    let answer = site.ask("POST /ofrep/v1/evaluate/flags/b", &[], &family);
    assert_eq!(answer.json()["variant"], json!("on"));
    // Half of a pair stands for no letter, and is no JSON that can be meant.
    check(&site, r#"{"context":{"targetingKey":"\ud83d"}}"#, 400, "PARSE_ERROR");
}

/// A document that would loop, or cost without end, is not put in force; the good one stays.
#[test]
fn documents_that_are_meant_to_hurt_are_refused() {
    let site = Site::of(&switch("a", true));
    let flag = |rules: &Value| {
        json!({"state": "ENABLED", "variants": {"on": true, "off": false},
        "defaultVariant": "off", "targeting": rules})
    };
    let deep = (0..5_000).fold(String::from("true"), |inner, _| format!("{{\"!\":[{inner}]}}"));
    let documents = [
        json!({"$evaluators": {"x": {"$ref": "y"}, "y": {"$ref": "x"}},
            "flags": {"a": flag(&json!({"if": [{"$ref": "x"}, "on"]}))}})
        .to_string(),
        json!({"$evaluators": {"x": {"!": {"$ref": "x"}}},
            "flags": {"a": flag(&json!({"if": [{"$ref": "x"}, "on"]}))}})
        .to_string(),
        format!(
            r#"{{"flags":{{"a":{{"state":"ENABLED","variants":{{"on":true}},"targeting":{deep}}}}}}}"#
        ),
        "{\"flags\":".repeat(100_000),
        "[".repeat(4 << 20),
        " ".repeat((16 << 20) + 1),
    ];
    for document in documents {
        let began = Instant::now();
        site.publish_text(&document);
        eventually("it is refused", || site.status()["serving"] == json!("last_good"));
        assert!(began.elapsed() < SOON);
        assert!(site.is_on("a"));
        site.publish(&switch("a", true));
        eventually("all is well again", || site.status()["serving"] == json!("current"));
    }
}

/// Rules that multiply are cut off at a bound of steps, for one flag alone.
#[test]
fn rules_that_multiply_are_cut_off() {
    let list: Vec<u32> = (0..400).collect();
    let inner = json!({"reduce": [list, {"+": [{"var": "current"}, {"var": "accumulator"}]}, 0]});
    let outer = json!({"map": [list, {"map": [list, inner]}]});
    let document = json!({"flags": {
        "a": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
        "slow": {"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": "off", "targeting": {"if": [{"!!": [outer]}, "on", "off"]}}}});
    let site = Site::of(&document);
    let began = Instant::now();
    let answer = site.ask("POST /ofrep/v1/evaluate/flags/slow", &[], "{}");
    assert_eq!((answer.status, &answer.json()["errorCode"]), (400, &json!("GENERAL")));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(site.is_on("a"));
}

/// Requests with bytes changed at random, the same ones every time: whatever comes, the server
/// answers or ends the connection, and serves the next client.
#[test]
fn soak_changed_requests() {
    let site = Site::of(&switch("a", true));
    let minutes = std::env::var("RIPCORD_SOAK_MINUTES").ok();
    let minutes: u64 = minutes.and_then(|text| text.parse().ok()).unwrap_or(0);
    let until = Instant::now() + Duration::from_secs(minutes * 60);
    let body = r#"{"context":{"targetingKey":"u1","plan":{"name":"pro"},"n":[1,2.5e3]}}"#;
    let seeds = [SINGLE, BULK, "GET /ofrep/v1/events?t=abc", "GET /ripcord/v1/flags/status"];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut tried = 0;
    while tried < 400 || Instant::now() < until {
        let head = format!("host: 127.0.0.1\r\ncontent-length: {}\r\n", body.len());
        let first = seeds[random(seeds.len())];
        let mut text = format!("{first} HTTP/1.1\r\n{head}\r\n{body}").into_bytes();
        for _ in 0..=random(6) {
            let at = random(text.len());
            match random(3) {
                0 => text[at] = u8::try_from(random(256)).unwrap(),
                1 => {
                    text.remove(at);
                }
                _ => text.insert(at, b"\0\r\n{}[]\"\\:,%\xff"[random(13)]),
            }
        }
        let mut stream = TcpStream::connect(site.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be refused before it was sent.
        drop(stream.write_all(&text));
        drop(stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        // A stream of changes would not end by itself; no token of one is guessed.
        drop(stream.read_to_end(&mut answer));
        let status = answer.get(9..12);
        assert!(
            status.is_none_or(|status| status[0] != b'5'),
            "{:?}",
            String::from_utf8_lossy(&text)
        );
        tried += 1;
    }
    assert!(site.is_on("a"));
}
