//! Processes that end when they should not, and ports that somebody else has.

use crate::support::{World, ensure, eventually, get, release, send};
use ripcord_engine::{Failure, Platform as _};
use ripcord_platforms::Phase;
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

#[test]
fn a_crash_loop_is_definite_and_shows_the_log() {
    let world = World::new("exit");
    let began = Instant::now();
    let failure = world.ensure(1).unwrap_err();
    let Failure::Definite(text) = &failure else { panic!("{failure:?}") };
    assert!(text.contains("ended 3 times"), "{text}");
    assert!(text.contains("exit status: 3"), "{text}");
    assert!(text.contains("| cannot reach the database"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(8), "long before the deadline");
    world.ensure(0).unwrap();
    assert_eq!(world.processes(), [0; 0]);
}

#[test]
fn what_cannot_be_started_is_definite_at_once() {
    let check = |command: &[&str], expected: &str| {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let world = World::with("ok", |template| template.command = command);
        std::fs::write(world.directory.path().join("plain.txt"), "no program").unwrap();
        let failure = world.ensure(1).unwrap_err();
        let Failure::Definite(text) = &failure else { panic!("{failure:?}") };
        assert!(text.contains(expected), "{text}");
        assert_eq!(world.units()[0].restarts, 0, "it is not tried again and again");
        assert_eq!(world.processes(), [0; 0]);
    };
    check(&["./no-such-program"], "`./no-such-program` cannot be started");
    check(&["no-such-program-anywhere"], "No such file");
    check(&["./plain.txt"], "Permission denied");
    check(&[], "the command is empty");
}

#[test]
fn a_missing_working_directory_is_definite() {
    let world = World::with("ok", |template| template.working_directory.push("none"));
    let failure = world.ensure(1).unwrap_err();
    assert!(
        matches!(&failure, Failure::Definite(text) if text.contains("is missing")),
        "{failure}"
    );
}

#[test]
fn a_killed_process_is_started_again_on_its_port() {
    let world = World::new("ok");
    world.ensure(1).unwrap();
    let (address, pid) = (world.address(), world.pids()[0]);
    send(pid, Signal::KILL);
    eventually("it is started again", || {
        world.units()[0].restarts == 1 && get(address, "/env/MODE") == "ok"
    });
    let unit = &world.units()[0];
    assert_ne!(unit.pid, Some(pid));
    assert_eq!((unit.address.unwrap(), unit.phase.clone()), (address, Phase::Running));
    assert_eq!(unit.last_exit.as_deref(), Some("signal: 9 (SIGKILL)"));
    assert_eq!(world.platform.observe().unwrap()[&release()].restarts, 1);
}

#[test]
fn the_pause_before_a_new_start_grows() {
    let world = World::new("ok");
    world.ensure(1).unwrap();
    let address = world.address();
    let mut pauses = Vec::new();
    for restarts in 1..=3 {
        get(address, "/die");
        eventually("it ended", || world.units()[0].restarts == restarts);
        let ended = Instant::now();
        eventually("it answers again", || get(address, "/env/MODE") == "ok");
        pauses.push(ended.elapsed());
    }
    for (pause, least) in pauses.iter().zip([150, 350, 750]) {
        assert!(*pause > Duration::from_millis(least), "{pauses:?}");
    }
}

#[test]
fn a_killed_shim_takes_its_process_along_and_ensure_heals_it() {
    let world = World::new("ok");
    world.ensure(1).unwrap();
    let (address, pid) = (world.address(), world.pids()[0]);
    send(world.shim(), Signal::KILL);
    eventually("its process ends with it", || !world.processes().contains(&pid));
    assert_eq!(world.ready(), 0);
    world.ensure(1).unwrap();
    assert_eq!((world.ready(), world.units()[0].restarts), (1, 1));
    assert_eq!(world.address(), address);
}

#[test]
fn what_a_killed_shim_could_not_take_along_is_killed_by_the_next() {
    // The service is a child of a shell, so that the kernel ties only the shell to the shim.
    let world = World::with("ok", |template| {
        let script = r#""$@" & wait"#;
        template.command.splice(0..0, ["sh", "-c", script, "sh"].map(str::to_owned));
    });
    world.ensure(1).unwrap();
    let address = world.address();
    let before = world.processes();
    assert_eq!(before.len(), 3, "shim, shell and service");
    send(world.shim(), Signal::KILL);
    // A process that is being torn down has lost its name before its lock.
    eventually("only the service remains", || {
        world.processes().len() == 1 && !world.units()[0].running
    });
    world.ensure(1).unwrap();
    let after = world.processes();
    assert!(after.iter().all(|pid| !before.contains(pid)), "{before:?} {after:?}");
    assert_eq!((after.len(), world.address()), (3, address));
    send(world.shim(), Signal::KILL);
    // A process that is being torn down has lost its name before its lock.
    eventually("only the service remains", || {
        world.processes().len() == 1 && !world.units()[0].running
    });
    world.ensure(0).unwrap();
    assert_eq!(world.processes(), [0; 0]);
}

#[test]
fn a_taken_port_is_said_and_exchanged() {
    let world = World::new("ok");
    world.ensure(1).unwrap();
    let address = world.address();
    // A stopped process cannot serve; its port is taken while its shim pauses.
    send(world.pids()[0], Signal::KILL);
    let mut taken = None;
    eventually("the port is taken", || {
        taken = taken.take().or_else(|| TcpListener::bind(address).ok());
        taken.is_some()
    });
    let port = address.port();
    eventually("the unit says so", || {
        let phase = world.units()[0].phase.clone();
        phase == Phase::Failed(ripcord_platforms::Failed::PortTaken(port))
    });
    ensure(&world.platform, 1, 1, 10_000).unwrap();
    assert_ne!(world.address(), address);
    assert_eq!(world.ready(), 1);
}

#[test]
fn nobody_else_answers_for_an_instance() {
    let world = World::new("exit");
    std::thread::scope(|scope| {
        let ensured = scope.spawn(|| world.ensure(1));
        eventually("it ended once", || world.units().first().is_some_and(|u| u.restarts > 0));
        // Somebody takes its port while it pauses, and is in the best of health.
        let other = TcpListener::bind(world.address()).unwrap();
        other.set_nonblocking(true).unwrap();
        let observed = scope.spawn(|| world.ready());
        while !ensured.is_finished() || !observed.is_finished() {
            if let Ok((mut stream, _)) = other.accept() {
                drop(stream.read(&mut [0; 512]));
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
            }
        }
        assert_eq!(observed.join().unwrap(), 0);
        let failure = ensured.join().unwrap().unwrap_err();
        assert!(failure.to_string().contains("is used by another process"), "{failure}");
    });
}
