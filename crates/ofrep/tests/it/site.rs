//! A flags server in a process of its own, over a directory of its own.

use crate::client::{self, Answer, PATIENCE};
use ripcord_flags::BrokenRules;
use ripcord_ofrep::{Limits, Options};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Names the directory to the process.
const DIRECTORY: &str = "RIPCORD_TEST_FLAGS_DIRECTORY";

/// A directory, and the server over it if it runs. It is killed when this is dropped.
pub(crate) struct Site {
    folder: TempDir,
    process: Option<Child>,
    pub(crate) address: SocketAddr,
}

/// What a test wants to be otherwise.
#[derive(Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Wish {
    pub(crate) keys: bool,
    /// The port, where it has to be the same after a restart.
    pub(crate) port: Option<u16>,
    pub(crate) origins: Vec<String>,
    pub(crate) streams_max: Option<usize>,
    pub(crate) heartbeat_ms: Option<u64>,
    pub(crate) token_period_s: Option<u64>,
    pub(crate) body_within_ms: Option<u64>,
    pub(crate) head_within_ms: Option<u64>,
    pub(crate) rate_max: Option<u32>,
    pub(crate) rate_pause_ms: Option<u64>,
    pub(crate) body_bytes_max: Option<usize>,
    pub(crate) stall_ms: Option<u64>,
    pub(crate) send_buffer_bytes: Option<u32>,
    pub(crate) counts_ms: Option<u64>,
    /// Serve documents with rules that cannot be compiled.
    pub(crate) lenient: bool,
}

impl Site {
    /// A server over this document.
    pub(crate) fn of(document: &Value) -> Site {
        Site::wish(document, &Wish::default())
    }

    pub(crate) fn wish(document: &Value, wish: &Wish) -> Site {
        let mut site = Site::prepare(wish);
        site.publish(document);
        site.start();
        site
    }

    /// A directory without a document or a server.
    pub(crate) fn prepare(wish: &Wish) -> Site {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("wish"), serde_json::to_vec(wish).unwrap()).unwrap();
        Site { folder, process: None, address: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn start(&mut self) {
        let told = self.path("address");
        drop(fs::remove_file(&told));
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "site::is_a_server_when_asked", "--nocapture"])
            .env(DIRECTORY, self.folder.path())
            .stdout(Stdio::null())
            .stderr(fs::File::options().create(true).append(true).open(self.path("log")).unwrap())
            .spawn()
            .unwrap();
        self.process = Some(process);
        let began = Instant::now();
        loop {
            if let Ok(Ok(address)) = fs::read_to_string(&told).map(|text| text.parse()) {
                self.address = address;
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the server did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills the server as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Replaces the document as its owner does: a new file, renamed over the old one.
    pub(crate) fn publish(&self, document: &Value) {
        self.publish_text(&document.to_string());
    }

    pub(crate) fn publish_text(&self, text: &str) {
        let new = self.path("flags.json.publishing");
        fs::write(&new, text).unwrap();
        fs::rename(&new, self.path("flags.json")).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the server said on standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn ask(&self, first: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        client::ask(self.address, first, headers, body)
    }

    /// One flag without a context.
    pub(crate) fn single(&self, key: &str) -> Answer {
        self.ask(&format!("POST /ofrep/v1/evaluate/flags/{key}"), &[], r#"{"context":{}}"#)
    }

    /// All flags for a user.
    pub(crate) fn bulk(&self, user: &str, headers: &[(&str, &str)]) -> Answer {
        let body = json!({"context": {"targetingKey": user}}).to_string();
        self.ask("POST /ofrep/v1/evaluate/flags", headers, &body)
    }

    /// The value of a flag as a switch.
    pub(crate) fn is_on(&self, key: &str) -> bool {
        self.single(key).json()["value"] == json!(true)
    }

    pub(crate) fn status(&self) -> Value {
        self.ask("GET /ripcord/v1/flags/status", &[], "").json()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A document with one switch.
pub(crate) fn switch(key: &str, is_on: bool) -> Value {
    let default = if is_on { "on" } else { "off" };
    json!({"flags": {key: {"state": "ENABLED", "variants": {"on": true, "off": false},
        "defaultVariant": default}}})
}

/// The address of the change stream that a bulk answer names.
pub(crate) fn events(bulk: &Answer) -> String {
    let uri = bulk.json()["eventStreams"][0]["endpoint"]["requestUri"].clone();
    uri.as_str().unwrap().to_owned()
}

fn options(folder: &Path) -> Options {
    let wish: Wish = serde_json::from_slice(&fs::read(folder.join("wish")).unwrap()).unwrap();
    let usual = Limits::default();
    let ms = |wish: Option<u64>, usual: Duration| wish.map_or(usual, Duration::from_millis);
    let limits = Limits {
        streams_max: wish.streams_max.unwrap_or(usual.streams_max),
        heartbeat_every: ms(wish.heartbeat_ms, usual.heartbeat_every),
        token_period: wish.token_period_s.map_or(usual.token_period, Duration::from_secs),
        body_within: ms(wish.body_within_ms, usual.body_within),
        head_within: ms(wish.head_within_ms, usual.head_within),
        send_buffer_bytes: wish.send_buffer_bytes.unwrap_or(usual.send_buffer_bytes),
        stall_max: ms(wish.stall_ms, usual.stall_max),
        counts_every: ms(wish.counts_ms, usual.counts_every),
        rate_max: wish.rate_max,
        rate_pause: ms(wish.rate_pause_ms, usual.rate_pause),
        body_bytes_max: wish.body_bytes_max.unwrap_or(usual.body_bytes_max),
        ..usual
    };
    Options {
        file: folder.join("flags.json"),
        listen: SocketAddr::from(([127, 0, 0, 1], wish.port.unwrap_or(0))),
        keys: wish.keys.then(|| folder.join("keys")),
        origins: wish.origins,
        broken_rules: if wish.lenient { BrokenRules::Serve } else { BrokenRules::Refuse },
        say,
        limits,
    }
}

/// Writes to the log of the server, which is its standard error.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// The server itself: does nothing unless a test started this process for it.
#[test]
fn is_a_server_when_asked() {
    let Some(folder) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let ready = |address: SocketAddr| {
        fs::write(folder.join("address.new"), address.to_string()).unwrap();
        fs::rename(folder.join("address.new"), folder.join("address")).unwrap();
    };
    if let Err(error) = ripcord_ofrep::run(options(&folder), ready) {
        say(&error.to_string());
    }
}
