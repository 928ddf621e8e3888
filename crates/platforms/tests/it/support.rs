//! What the tests share: an environment with its platform, and a look into the table of processes.

use crate::child::{MODE, ROLE, command};
use ripcord_core::model::{Fence, PlanId, ReleaseId};
use ripcord_core::run::Receipt;
use ripcord_engine::{Failure, Platform as _, Ticket};
use ripcord_platforms::{
    Health, Limits, ProcessOptions, ProcessPlatform, UnitState, UnitTemplate, Value,
};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// An environment of its own; all its processes end with it.
pub(crate) struct World {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) platform: ProcessPlatform,
    template: UnitTemplate,
}

impl World {
    /// One whose service behaves like this.
    pub(crate) fn new(mode: &str) -> World {
        World::with(mode, |_| {})
    }

    /// One whose template was changed.
    pub(crate) fn with(mode: &str, change: impl FnOnce(&mut UnitTemplate)) -> World {
        let directory = tempfile::tempdir().unwrap();
        let mut template = template(mode, directory.path());
        change(&mut template);
        let platform = platform(directory.path(), &template);
        World { directory, platform, template }
    }

    /// The platform of another controller for the same environment.
    pub(crate) fn another(&self) -> ProcessPlatform {
        platform(self.directory.path(), &self.template)
    }

    pub(crate) fn ensure(&self, count: u32) -> Result<Receipt, Failure> {
        ensure(&self.platform, count, 1, 20_000)
    }

    pub(crate) fn units(&self) -> Vec<UnitState> {
        self.platform.units().unwrap()
    }

    /// The processes of the services themselves.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.units().iter().map(|unit| unit.pid.unwrap()).collect()
    }

    /// How many instances are ready.
    pub(crate) fn ready(&self) -> u32 {
        let states = self.platform.observe().unwrap();
        states.get(&release()).map_or(0, |state| state.instances.ready)
    }

    /// Everything that runs on behalf of this environment.
    pub(crate) fn processes(&self) -> Vec<u32> {
        processes(self.directory.path())
    }

    /// The shim of the first instance.
    pub(crate) fn shim(&self) -> u32 {
        self.shim_of("v1-1")
    }

    /// The shim of a unit.
    pub(crate) fn shim_of(&self, unit: &str) -> u32 {
        let lock = self.directory.path().join("run/production").join(unit).join("lock");
        let text = fs::read_to_string(lock).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        u32::try_from(json["pid"].as_u64().unwrap()).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        self.log_of("1.log")
    }

    pub(crate) fn log_of(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join("logs/v1").join(name)).unwrap()
    }

    /// Where the first instance listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.units()[0].address.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.platform.stop_everything());
        for pid in self.processes() {
            send(pid, Signal::KILL);
        }
    }
}

fn template(mode: &str, directory: &Path) -> UnitTemplate {
    let mut service: Vec<String> =
        command("service").into_iter().map(|word| word.into_string().unwrap()).collect();
    // `env` and the role are for launchers; a service gets its role from its environment.
    service.drain(..2);
    let plain = |text: &str| Value::Plain(text.to_owned());
    let mark = plain(&directory.to_string_lossy());
    let environment = [(ROLE, plain("service")), (MODE, plain(mode)), ("MARK", mark)];
    UnitTemplate {
        roles: BTreeMap::from([
            worker("worker", mode, &service),
            worker("brief", "brief", &service),
            worker("tired", "tired", &service),
        ]),
        command: service,
        working_directory: directory.to_owned(),
        environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
        health: Health { path: "/health".to_owned() },
        stop_ms: 5_000,
        limits: Limits::default(),
    }
}

/// A role whose worker behaves like this, whatever the web does.
fn worker(role: &str, mode: &str, service: &[String]) -> (String, Vec<String>) {
    let mode = format!("{MODE}={mode}");
    let command = ["env".to_owned(), mode].into_iter().chain(service.iter().cloned());
    (role.to_owned(), command.collect())
}

fn platform(directory: &Path, template: &UnitTemplate) -> ProcessPlatform {
    let template = template.clone();
    ProcessPlatform::new(ProcessOptions {
        root: directory.join("run"),
        logs: directory.join("logs"),
        environment: "production".into(),
        launcher: command("shim"),
        template: Box::new(move |_| Ok(template.clone())),
    })
}

pub(crate) fn release() -> ReleaseId {
    "v1".into()
}

/// Asks a platform for instances, under a fence and a deadline.
pub(crate) fn ensure(
    platform: &ProcessPlatform,
    count: u32,
    fence: u64,
    deadline_ms: u64,
) -> Result<Receipt, Failure> {
    let plan = PlanId::from("sha256:0");
    let ticket = Ticket { plan: &plan, step: 1, fence: Fence(fence), deadline_ms, stop: &|| false };
    platform.ensure(&release(), count, &ticket)
}

/// The living processes whose arguments or environment name this directory.
pub(crate) fn processes(directory: &Path) -> Vec<u32> {
    let text = directory.to_str().unwrap().as_bytes();
    let names = |path: String| {
        fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text))
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let found = pids.filter(|pid| {
        names(format!("/proc/{pid}/cmdline")) || names(format!("/proc/{pid}/environ"))
    });
    found.collect()
}

pub(crate) fn send(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal);
}

/// Waits until something holds; a test that waits in vain fails.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(15), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The body of an answer; empty when there is none.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else { return String::new() };
    drop(stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()));
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer));
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}
