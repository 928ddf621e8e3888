//! The measurement behind the last part of `cargo xtask bench flags`: how soon a flag is off after
//! `ripcord flags off`, with everything in between as it is shipped: the command, controller,
//! ledger and flags server, each in its own process.

use super::{deploy, quantile};
use crate::controller::FlagRequest;
use crate::demo::{Data, ENVIRONMENT, Options, Stage};
use crate::failure::{Code, Failure};
use crate::flags::Act;
use crate::terminal;
use ripcord_core::flag::FlagSource;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The flag of the shop's first release.
const FLAG: &str = "reviews";

/// How long one change may take before the measurement is given up.
const LONGEST: Duration = Duration::from_secs(30);

/// What holds at the 99th percentile, from the start of the command to the first answer.
const BAR_MS: f64 = 50.0;

/// Measure how soon a flag is off after the command
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often, for the command and for a request to the controller each
    #[arg(long, default_value_t = 50)]
    rounds: u32,
}

/// How long after its beginning a change was served, and told to an open page, in milliseconds.
struct Took {
    served: f64,
    told: f64,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let options = Options { directory: None, keep: false, json: false, rps: 1, data: Data::Sqlite };
    let stage = Stage::set(&options)?;
    let measured = measure(&stage, args.rounds);
    stage.strike(Duration::from_secs(30))?;
    let (commands, requests) = measured?;
    let served =
        row("from the start of `ripcord flags off` to the first answer", &commands, |one| {
            one.served
        });
    row("from its start to the event on an open page", &commands, |one| one.told);
    row("from the request to the controller to the first answer", &requests, |one| one.served);
    row("from that request to the event on an open page", &requests, |one| one.told);
    if served <= BAR_MS {
        return Ok(());
    }
    Err(Failure::new(Code::DemoFailed, format!("more than {BAR_MS} ms at p99")))
}

/// Prints one row; the 99th percentile.
fn row(what: &str, all: &[Took], pick: impl Fn(&Took) -> f64) -> f64 {
    let mut all: Vec<f64> = all.iter().map(pick).collect();
    all.sort_by(f64::total_cmp);
    let at = |share| quantile(&all, share);
    terminal::print(&format!(
        "{what:<58} p50 {:>7.2} ms  p99 {:>7.2} ms  max {:>7.2} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    ));
    at(0.99)
}

fn measure(stage: &Stage, rounds: u32) -> Result<(Vec<Took>, Vec<Took>), Failure> {
    let client = stage.open(false)?;
    deploy(stage, &client)?;
    let told = page(stage.flags)?;
    let request = |act: Act| FlagRequest {
        act,
        by: "bench".to_owned(),
        reason: "a measurement".to_owned(),
        source: FlagSource::Cli,
    };
    let (on, off) = (Act::On { flag: FLAG.to_owned() }, Act::Off { flag: FLAG.to_owned() });
    let round = |turn_off: &dyn Fn() -> Result<(), Failure>| -> Result<Took, Failure> {
        client.change_flags(ENVIRONMENT, &request(on.clone()))?;
        answered(stage.flags, true)?;
        while told.recv_timeout(Duration::from_millis(50)).is_ok() {}
        let began = Instant::now();
        let (served, done) = std::thread::scope(|scope| {
            let served = scope.spawn(|| answered(stage.flags, false));
            let done = turn_off();
            (served.join(), done)
        });
        done?;
        let served = served.map_err(|_| failed("the asking thread broke off"))??;
        let event = told.recv_timeout(LONGEST).map_err(|_| failed("no page was told"))?;
        let ms = |at: Instant| at.duration_since(began).as_secs_f64() * 1e3;
        Ok(Took { served: ms(served), told: ms(event) })
    };
    let command = || command(stage);
    let asked = || client.change_flags(ENVIRONMENT, &request(off.clone())).map(drop);
    let commands: Result<Vec<Took>, Failure> = (0..rounds).map(|_| round(&command)).collect();
    let requests: Result<Vec<Took>, Failure> = (0..rounds).map(|_| round(&asked)).collect();
    Ok((commands?, requests?))
}

/// Runs the command as a person does.
fn command(stage: &Stage) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(|error| failed(&error.to_string()))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(stage.config()).arg("--state").arg(stage.state());
    command.args(["flags", "off", FLAG, "--reason", "a measurement"]);
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| failed(&error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(&String::from_utf8_lossy(&output.stderr)))
}

/// When the flag was first answered so. It is asked for on one connection, as a client keeps it.
fn answered(server: SocketAddr, on: bool) -> Result<Instant, Failure> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(LONGEST)).build().into();
    let url = format!("http://{server}/ofrep/v1/evaluate/flags/{FLAG}");
    let began = Instant::now();
    while began.elapsed() < LONGEST {
        let answer = agent
            .post(&url)
            .send("{}")
            .and_then(|mut answer| answer.body_mut().read_json::<Value>());
        let now = Instant::now();
        let answer = answer.map_err(|error| failed(&error.to_string()))?;
        if answer["value"] == Value::Bool(on) {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    Err(failed("the flag did not turn"))
}

/// Opens a page's change stream; the moments at which it was told of a change.
fn page(server: SocketAddr) -> Result<Receiver<Instant>, Failure> {
    let broken = |error: &dyn std::fmt::Display| failed(&error.to_string());
    let mut all = ureq::post(format!("http://{server}/ofrep/v1/evaluate/flags"))
        .send("{}")
        .map_err(|error| broken(&error))?;
    let all: Value = all.body_mut().read_json().map_err(|error| broken(&error))?;
    let uri = all["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap_or_default();
    let mut stream = TcpStream::connect(server).map_err(|error| broken(&error))?;
    let head = format!("GET {uri} HTTP/1.1\r\nhost: {server}\r\n\r\n");
    stream.write_all(head.as_bytes()).map_err(|error| broken(&error))?;
    let (sender, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if line.starts_with("data: ") && sender.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    Ok(told)
}

fn failed(why: &str) -> Failure {
    Failure::new(Code::DemoFailed, why)
}
