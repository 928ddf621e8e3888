//! Unmodified `OpenFeature` clients of three kinds against the real server: every type, errors,
//! changes as they happen, and what is off.
//!
//! `cargo xtask clients` installs them beside the build; without them these tests fail.

use crate::client::{PATIENCE, eventually};
use crate::site::{Site, Wish, switch};
use ripcord_ofrep::NewKey;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// Which client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Node, for servers.
    Node,
    /// The one for browsers, under Node.
    Web,
    Python,
}

/// A client in a process of its own; a question in, its details out.
struct Client {
    process: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
}

impl Client {
    fn start(kind: Kind, site: &Site, context: &Value, key: Option<&str>) -> Client {
        let installed = installed();
        let script = |name: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
            folder.join(name).display().to_string()
        };
        let (program, script) = match kind {
            Kind::Node => (PathBuf::from("node"), script("server.mjs")),
            Kind::Web => (PathBuf::from("node"), script("web.mjs")),
            Kind::Python => (installed.join("python/bin/python"), script("server.py")),
        };
        let mut command = Command::new(program);
        command
            .arg(script)
            .env("CLIENTS", installed.join("node"))
            .env("OFREP_ENDPOINT", format!("http://{}", site.address))
            .env("CONTEXT", context.to_string())
            .env_remove("KEY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(key) = key {
            command.env("KEY", key);
        }
        let mut process = command.spawn().unwrap();
        let questions = process.stdin.take().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        Client { process, questions, answers }
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.questions, "{question}").unwrap();
        let line = self.answers.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("{question}: {error}"));
        serde_json::from_str(&line).unwrap()
    }

    /// Asks for a flag, and compares the value with the reason, or with the code of the error.
    fn check(&mut self, kind: &str, key: &str, default: &Value, value: &Value, why: &str) {
        let found = self.ask(&json!({"type": kind, "key": key, "default": default}));
        let said = found["errorCode"].as_str().or(found["reason"].as_str());
        assert_eq!((&found["value"], said), (value, Some(why)), "{key}: {found}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Where the clients are: in the folder of the build.
fn installed() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let folder = this.ancestors().nth(3).unwrap().join("flags-clients");
    assert!(
        folder.join("complete").is_file(),
        "the clients are not in {}; `cargo xtask clients` installs them",
        folder.display()
    );
    folder
}

fn document() -> Value {
    let flag = |variants: Value, default: &str| json!({"state": "ENABLED", "variants": variants, "defaultVariant": default});
    json!({"flags": {
        "switch": flag(json!({"on": true, "off": false}), "on"),
        "text": flag(json!({"a": "x \"y\" é"}), "a"),
        "whole": flag(json!({"a": 10, "b": 20}), "a"),
        "float": flag(json!({"a": 10, "b": 0.5}), "a"),
        "object": flag(json!({"a": {"x": [1, {"y": null}]}}), "a"),
        "disabled": {"state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on"},
        "code": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": null},
        "staff": {"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": "off", "metadata": {"owner": "ops"},
            "targeting": {"if": [{"==": [{"var": "email"}, "a@b"]}, "on", null]}},
        "broken": {"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": "off", "targeting": {"cat": ["nothing"]}},
    }})
}

/// What all of them agree about.
fn types_and_errors(kind: Kind) {
    let site = Site::of(&document());
    let mut client = Client::start(kind, &site, &json!({"targetingKey": "u1"}), None);
    client.check("boolean", "switch", &json!(false), &json!(true), "STATIC");
    client.check("string", "text", &json!(""), &json!("x \"y\" é"), "STATIC");
    client.check("integer", "whole", &json!(1), &json!(10), "STATIC");
    // In JavaScript there is one kind of number, and it prints ten as 10.
    let ten = if kind == Kind::Python { json!(10.0) } else { json!(10) };
    client.check("float", "float", &json!(1.5), &ten, "STATIC");
    client.check("object", "object", &json!({}), &json!({"x": [1, {"y": null}]}), "STATIC");
    client.check("boolean", "staff", &json!(true), &json!(false), "DEFAULT");
    client.check("boolean", "missing", &json!(true), &json!(true), "FLAG_NOT_FOUND");
    client.check("boolean", "broken", &json!(true), &json!(true), "GENERAL");
    client.check("string", "switch", &json!("x"), &json!("x"), "TYPE_MISMATCH");
    // What the code decides. One of them takes an answer without a value for an error, and
    // decides the same.
    let why = |reason| if kind == Kind::Node { "GENERAL" } else { reason };
    client.check("boolean", "disabled", &json!(true), &json!(true), why("DISABLED"));
    client.check("boolean", "code", &json!(true), &json!(true), why("DEFAULT"));
}

#[test]
fn node_types_and_errors() {
    types_and_errors(Kind::Node);
}

#[test]
fn web_types_and_errors() {
    types_and_errors(Kind::Web);
}

#[test]
fn python_types_and_errors() {
    types_and_errors(Kind::Python);
}

/// Clients of servers: the context of each question, a switch turned, keys with odd letters.
fn asks_each_time(kind: Kind) {
    let mut all = document();
    all["flags"]["a/b c"] = switch("x", true)["flags"]["x"].clone();
    let site = Site::of(&all);
    let mut client = Client::start(kind, &site, &json!({}), None);
    let staff = json!({"type": "boolean", "key": "staff", "default": false,
        "context": {"targetingKey": "u1", "email": "a@b"}});
    let found = client.ask(&staff);
    assert_eq!((&found["value"], &found["variant"]), (&json!(true), &json!("on")), "{found}");
    assert_eq!(found["reason"], json!("TARGETING_MATCH"));
    assert_eq!(found["flagMetadata"], json!({"owner": "ops"}));
    client.check("boolean", "a/b%20c", &json!(false), &json!(true), "STATIC");
    let mut off = document();
    off["flags"]["switch"]["defaultVariant"] = json!("off");
    site.publish(&off);
    eventually("it is off for the client", || {
        let ask = json!({"type": "boolean", "key": "switch", "default": true});
        client.ask(&ask)["value"] == json!(false)
    });
}

#[test]
fn node_asks_each_time() {
    asks_each_time(Kind::Node);
}

#[test]
fn python_asks_each_time() {
    asks_each_time(Kind::Python);
}

#[test]
fn a_page_hears_that_a_switch_was_turned_and_of_nothing_else() {
    let site = Site::of(&document());
    let mut page = Client::start(Kind::Web, &site, &json!({"targetingKey": "u1"}), None);
    page.check("boolean", "switch", &json!(false), &json!(true), "STATIC");
    eventually("the stream is open", || site.status()["streams_open"] == json!(1));
    // Told on opening, it asked again and heard that nothing had changed.
    eventually("a 304", || {
        let metrics = site.ask("GET /metrics", &[], "").body;
        metrics.contains("ripcord_flags_evaluations_unchanged_total 1")
    });
    let mut off = document();
    off["flags"]["switch"]["defaultVariant"] = json!("off");
    site.publish(&off);
    let change = page.ask(&json!({"type": "change"}));
    assert_eq!(change["changed"], json!(["switch"]));
    page.check("boolean", "switch", &json!(true), &json!(false), "STATIC");
    let status = site.status();
    assert_eq!([&status["clients_connected"], &status["clients_confirmed"]], [&json!(1); 2]);
}

#[test]
fn a_page_hears_what_changed_while_the_server_was_away() {
    let mut site = Site::prepare(&Wish { port: Some(free_port()), ..Wish::default() });
    site.publish(&switch("switch", true));
    site.start();
    let mut page = Client::start(Kind::Web, &site, &json!({"targetingKey": "u1"}), None);
    page.check("boolean", "switch", &json!(false), &json!(true), "STATIC");
    eventually("the stream is open", || site.status()["streams_open"] == json!(1));
    site.kill();
    site.publish(&switch("switch", false));
    site.start();
    let change = page.ask(&json!({"type": "change"}));
    assert_eq!(change["changed"], json!(["switch"]));
    page.check("boolean", "switch", &json!(true), &json!(false), "STATIC");
}

#[test]
fn keys_in_the_header_and_pages_without_one_stop() {
    let mut site = Site::prepare(&Wish { keys: true, ..Wish::default() });
    let key = NewKey::append(&site.path("keys"), "all").unwrap().secret;
    site.publish(&document());
    site.start();
    let context = json!({"targetingKey": "u1"});
    for kind in [Kind::Node, Kind::Web, Kind::Python] {
        let mut client = Client::start(kind, &site, &context, Some(&key));
        client.check("boolean", "switch", &json!(false), &json!(true), "STATIC");
        let mut stranger = Client::start(kind, &site, &context, None);
        let ask = json!({"type": "boolean", "key": "switch", "default": false});
        let found = stranger.ask(&ask);
        assert_eq!(found["value"], json!(false), "{kind:?}: {found}");
        assert!(found["errorCode"].is_string(), "{kind:?}: {found}");
    }
    let mut page = Client::start(Kind::Web, &site, &context, None);
    assert_eq!(page.ask(&json!({"type": "state"}))["status"], json!("FATAL"));
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
