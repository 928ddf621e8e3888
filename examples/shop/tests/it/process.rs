//! The `shop` command as a process: settings, signals and death.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ripcord_shop::load::{Load, LoadHandle, LoadOptions};

use crate::world::{World, releases};

/// A shop process, killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) port: u16,
}

impl Process {
    /// Starts a release and waits until it listens.
    pub(crate) fn start(world: &World, release: &str, generation: u8) -> Self {
        // Taken and given back: whoever starts a shop chooses its port. A thief makes it fail.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let directory = releases().join(release);
        let child = Command::new(env!("CARGO_BIN_EXE_shop"))
            .args(["--schema", &generation.to_string()])
            .env("PORT", port.to_string())
            .env("DATABASE_PATH", world.database())
            .env("CONFIG_FILE", directory.join("shop.json"))
            .env("FLAGS_FILE", directory.join("flags.json"))
            .env("FAULT_LOG", world.fault_log())
            .env("SHOP_RELEASE", release)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the shop binary");
        let process = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "{release} does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        process
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A connection on which a request was sent.
    fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("a request sent");
        stream
    }

    fn terminate(&self) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(kill.expect("the kill command").success());
    }

    /// The first line of the answer to a request.
    fn get(&self, path: &str) -> String {
        let stream = self.send(&format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n"));
        let mut line = String::new();
        // A process that dies answers nothing: that is an empty line.
        let _ = BufReader::new(stream).read_line(&mut line);
        line.trim_end().to_owned()
    }

    /// Waits until it ends by itself; whether it ended well.
    fn ended_well(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.success();
            }
            assert!(Instant::now() < deadline, "the shop lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sigterm_finishes_what_is_in_flight_and_ends_well() {
    let world = World::at(1);
    let mut shop = Process::start(&world, "v1-good", 1);
    assert_eq!(shop.get("/up"), "HTTP/1.1 200 OK");
    let mut slow = shop.send("GET /slow?ms=1300 HTTP/1.1\r\nhost: shop\r\n\r\n");
    std::thread::sleep(Duration::from_millis(100));
    shop.terminate();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).expect("an answer and the end of the connection");
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("slept_ms"), "{answer}");
    assert!(shop.ended_well());
}

#[test]
fn sigterm_says_goodbye_to_web_sockets() {
    let world = World::at(1);
    let mut shop = Process::start(&world, "v1-good", 1);
    let mut socket = shop.send(
        "GET /ws HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a response head");
        head.extend(byte);
    }
    shop.terminate();
    let mut close = [0; 4];
    socket.read_exact(&mut close).expect("a close frame");
    assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 1001));
    drop(socket);
    assert!(shop.ended_well());
}

#[test]
fn a_crash_loop_crashes() {
    let world = World::at(2);
    let mut shop = Process::start(&world, "crash-loop", 2);
    assert!(!shop.ended_well());
}

#[test]
fn a_never_healthy_release_is_never_healthy() {
    let world = World::at(2);
    let shop = Process::start(&world, "never-healthy", 2);
    assert_eq!(shop.get("/up"), "HTTP/1.1 503 Service Unavailable");
}

#[test]
fn a_rush_kills_what_dies_under_load() {
    let world = World::at(2);
    let mut shop = Process::start(&world, "dies-under-load", 2);
    for _ in 0..10 {
        assert_eq!(shop.get("/up"), "HTTP/1.1 200 OK");
        assert_eq!(shop.get("/products"), "HTTP/1.1 200 OK");
    }
    let options = LoadOptions { url: shop.url(), rps: 100, seconds: Some(1), ..Default::default() };
    let (report, _) = Load::start(options).and_then(LoadHandle::wait).expect("a report");
    assert!(!shop.ended_well());
    assert!(!report.failed_unexplained.is_empty());
}

#[test]
fn a_wrong_setting_is_named() {
    let mut shop = Command::new(env!("CARGO_BIN_EXE_shop"))
        .args(["--schema", "1"])
        .env_remove("PORT")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shop binary");
    assert!(!shop.wait().expect("an end").success());
    let mut said = String::new();
    let stderr = shop.stderr.as_mut().expect("a pipe");
    stderr.read_to_string(&mut said).expect("text");
    assert_eq!(said, "shop: environment variable PORT is not set\n");
}

#[test]
fn the_load_command_reports_answers_and_data() {
    let world = World::at(3);
    let shop = Process::start(&world, "v3-bad-answers", 3);
    let output = Command::new(env!("CARGO_BIN_EXE_shop"))
        .args(["load", "--url", &shop.url(), "--rps", "200", "--seconds", "1", "--expect", "3"])
        .arg("--database")
        .arg(world.database())
        .arg("--fault-log")
        .arg(world.fault_log())
        .output()
        .expect("the shop binary");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let load = &report["load"];
    assert_eq!(load["failed_unexplained"], serde_json::json!([]), "{load:#}");
    assert!(load["failed_by_shop"].as_u64() > Some(0), "{load:#}");
    assert_eq!(load["by_status"]["500"], load["failed_by_shop"]);
    let data = &report["data"];
    for list in ["rows_lost", "rows_differing", "rows_refused_but_present", "baseline_rows_changed"]
    {
        assert_eq!(data[list], serde_json::json!([]), "{list} of {data:#}");
    }
    assert!(data["rows_written"].as_u64() > Some(10));
}
