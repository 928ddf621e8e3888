//! What the processes of the tests do. Each role is a test of this binary that has nothing to do
//! unless its variable says that it is the one.

use ripcord_platforms::{run_exec, run_shim};
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::exit;
use std::time::Duration;

/// Names the role.
pub(crate) const ROLE: &str = "RIPCORD_TEST_ROLE";

/// Says how the service behaves.
pub(crate) const MODE: &str = "MODE";

/// The command that plays a role.
pub(crate) fn command(role: &str) -> Vec<OsString> {
    let program = std::env::current_exe().unwrap().into_os_string();
    let role = OsString::from(format!("{ROLE}={role}"));
    let mut command = vec!["env".into(), role, program];
    command.extend(
        ["--exact", "child::plays_its_role", "--nocapture", "--test-threads=1"].map(Into::into),
    );
    command
}

#[test]
#[expect(clippy::exit, reason = "a role ends with the code that belongs to it")]
fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let directory = PathBuf::from(std::env::args().next_back().unwrap());
    match role.as_str() {
        "shim" => exit(run_shim(&directory, &command("exec"))),
        "exec" => exit(run_exec(&directory)),
        "service" => serve(),
        other => panic!("{other} is no role"),
    }
}

/// A tiny service: `/health` as its mode says, `/env/NAME` tells a variable.
#[expect(clippy::exit, reason = "some modes end on purpose")]
fn serve() {
    let mode = std::env::var(MODE).unwrap_or_default();
    // What runs the tests has begun a line.
    say(&format!("\nservice in mode «{mode}»"));
    match mode.as_str() {
        "exit" => {
            say("cannot reach the database");
            exit(3);
        }
        "tell" => {
            say(&format!("the password is {}", std::env::var("PASSWORD").unwrap()));
            exit(4);
        }
        "slow" => std::thread::sleep(Duration::from_millis(300)),
        "queue" => std::thread::sleep(Duration::from_millis(800) * place_in_queue()),
        "fat" => {
            // Address space that is never touched, and so costs nothing where it is allowed.
            let fat = vec![0_u8; 2 * 1024 * 1024 * 1024];
            say(&format!("allocated {}", fat.len()));
        }
        _ => {}
    }
    let Ok(port) = std::env::var("PORT") else { return work(&mode) };
    let port: u16 = port.parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).unwrap_or(0);
        let request = String::from_utf8_lossy(&request[..read]).into_owned();
        let path = request.split(' ').nth(1).unwrap_or_default();
        let (status, body) = match (path, mode.as_str()) {
            ("/health", "unhealthy") => (503, String::new()),
            ("/die", _) => exit(9),
            (path, _) => (200, variable(path)),
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n{body}");
        drop(stream.write_all(answer.as_bytes()));
    }
}

/// A worker, which has no port: it works for as long as its mode says.
#[expect(clippy::exit, reason = "some modes end on purpose")]
fn work(mode: &str) {
    say(&format!("works, told {}", std::env::var("MARK").unwrap()));
    std::thread::sleep(match mode {
        "brief" => Duration::from_millis(400),
        "tired" => Duration::from_millis(1_300),
        _ => Duration::from_mins(10),
    });
    exit(7);
}

/// The first is 1, the next 2, and so on.
fn place_in_queue() -> u32 {
    let mark = PathBuf::from(std::env::var("MARK").unwrap());
    let mut places = 1..;
    let free = |place: &u32| std::fs::create_dir(mark.join(format!("place-{place}"))).is_ok();
    places.find(free).unwrap()
}

fn variable(path: &str) -> String {
    let Some(name) = path.strip_prefix("/env/") else { return String::new() };
    if name == "ALL" {
        return std::env::vars().map(|(name, _)| name + "\n").collect();
    }
    std::env::var(name).unwrap_or_else(|_| "unset".to_owned())
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}
