//! The server in a process of its own, and the processor time that it used.

use crate::documents::document;
use ripcord_ofrep::{Limits, Options};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;
use tempfile::TempDir;

/// How many ticks of the system's clock a second of processor time has on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) struct Server {
    process: Child,
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

/// What the child does: serves until it is killed.
pub(crate) fn serve(folder: &Path) {
    let options = Options {
        file: folder.join("flags.json"),
        listen: ([127, 0, 0, 1], 0).into(),
        keys: None,
        origins: Vec::new(),
        broken_rules: ripcord_flags::BrokenRules::Refuse,
        say: |_| {},
        limits: Limits::default(),
    };
    let ready = |address: SocketAddr| {
        fs::write(folder.join("address.new"), address.to_string()).unwrap();
        fs::rename(folder.join("address.new"), folder.join("address")).unwrap();
    };
    ripcord_ofrep::run(options, ready).unwrap();
}

impl Server {
    pub(crate) fn start(flags: usize) -> Server {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("flags.json"), document(flags, true)).unwrap();
        let program = std::env::current_exe().unwrap();
        let process = Command::new(program).arg("serve").arg(folder.path()).spawn().unwrap();
        let told = folder.path().join("address");
        while !told.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let address = fs::read_to_string(&told).unwrap().parse().unwrap();
        Server { process, folder, address }
    }

    /// Replaces the document.
    pub(crate) fn publish(&self, text: &str) {
        let new = self.folder.path().join("publishing");
        fs::write(&new, text).unwrap();
        fs::rename(&new, self.folder.path().join("flags.json")).unwrap();
    }

    /// Seconds of processor time used so far.
    pub(crate) fn used(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.process.id());
        let text = fs::read_to_string(path).unwrap();
        // Behind the name, which may hold anything: user time is the 12th field, kernel time the
        // 13th.
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        ticks / TICKS_PER_SECOND
    }

    /// One request on a connection of its own; the whole answer.
    pub(crate) fn ask(&self, first: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request(first, body, "connection: close\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A request as clients send it.
pub(crate) fn request(first: &str, body: &str, headers: &str) -> String {
    format!(
        "{first} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{headers}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
