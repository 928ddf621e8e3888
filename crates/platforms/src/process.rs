//! Processes as the kernel shows them: which one is meant, and which belong to a group.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::fs;

/// One process and no later one of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in the kernel's ticks since boot.
    pub started: u64,
}

/// What `/proc/<pid>/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    /// All of its threads have ended; only its place in the table remains.
    gone: bool,
    group: u32,
    session: u32,
    started: u64,
}

impl Process {
    /// The process that has this number now.
    pub(crate) fn find(pid: u32) -> Option<Process> {
        stat(pid).map(|stat| Process { pid, started: stat.started })
    }

    /// This very process.
    pub(crate) fn myself() -> Process {
        let pid = std::process::id();
        Process::find(pid).unwrap_or(Process { pid, started: 0 })
    }

    /// Sends a signal to this process and to no other: the handle is taken first, then the start
    /// time compared. False when the process is gone.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        let Some(pid) = as_pid(self.pid) else { return false };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
        Process::find(self.pid) == Some(*self) && pidfd_send_signal(&handle, signal).is_ok()
    }
}

/// A process as rustix wants it.
pub(crate) fn as_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// The living processes of a group within a session that started no earlier than `since`. A shim
/// is the head of its session and its child the head of a group in it, so that nothing of anybody
/// else has both numbers.
pub(crate) fn members(session: u32, group: u32, since: u64) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let member = |pid: u32| {
        let stat = stat(pid)?;
        let belongs = stat.session == session && stat.group == group && stat.started >= since;
        (belongs && !stat.gone).then_some(Process { pid, started: stat.started })
    };
    pids.filter_map(member).collect()
}

/// Identifies this run of the machine, since process numbers start anew with each.
pub(crate) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may hold anything, so counting starts behind the last one.
fn parse(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ended = matches!(*fields.first()?, "Z" | "X");
    // The first thread of a killed process can end before the others, which still hold its port.
    let threads: u32 = fields.get(17)?.parse().ok()?;
    Some(Stat {
        gone: ended && threads <= 1,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines() {
        let tail = "1 20 30 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 100";
        let expected = Stat { gone: false, group: 20, session: 30, started: 4711 };
        assert_eq!(parse(&format!("7 (a) b) S {tail}")), Some(expected));
        assert_eq!(parse(&format!("7 (a) Z {tail}")), Some(Stat { gone: true, ..expected }));
        let threads = tail.replace("20 0 1 0", "20 0 2 0");
        assert_eq!(parse(&format!("7 (a) Z {threads}")), Some(expected));
        assert_eq!(parse("7 (a) S 1 2"), None);
    }

    #[test]
    fn a_signal_reaches_only_the_one_that_is_meant() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::find(child.id()).unwrap();
        assert!(!Process { started: process.started + 1, ..process }.signal(Signal::KILL));
        assert!(child.try_wait().unwrap().is_none());
        assert!(process.signal(Signal::KILL));
        child.wait().unwrap();
        assert!(!process.signal(Signal::KILL));
    }
}
