//! `ripcord judge`: the judge of a deploy, offline: on recorded requests, on a decision of the
//! ledger, or on history, to see how often it would have been wrong. Needs no controller and
//! changes nothing.

mod backtest;
mod blocks;
mod draws;
mod ledger;
mod lines;
mod policy;
mod repeats;
mod report;
mod request;
mod rules;
mod stream;
mod trace;
mod users;
mod windows;

use crate::cli::context::Context;
use crate::cli::words::thousands;
use crate::failure::{Code, Failure};
use crate::terminal;
use lines::Lines;
use policy::Rules;
use repeats::Repeats;
use report::Report;
use request::Request;
use ripcord_core::analysis::JudgePolicy;
use ripcord_core::model::Share;
use ripcord_core::model::traffic::WHOLE;
use serde_json::{Map, json};
use std::path::PathBuf;
use std::process::ExitCode;
use stream::{Stream, TooLate, Totals};
use windows::Windows;

/// Judge recorded requests, or a decision of the past, without a controller
///
/// A record has one JSON object a line, in the order of time:
/// `{"t": 12.5, "arm": "canary", "w": 0.05, "status": 200, "latency_ms": 12.3}`
///
/// `t` is in seconds, `w` the chance of the canary that was in force for this request, `status` 0
/// where nothing was answered. `user` where users keep their release, `route` and `id` may be added.
///
/// Exit codes: 0 nothing speaks against the release and it is good enough; 4 it had to go;
/// 5 there is too little to say; 2 the record cannot be read.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The record; - is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "ledger")]
    input: Option<PathBuf>,
    /// Judge the deploy of this release anew from the ledger, and say whether both agree
    #[arg(long, value_name = "RELEASE", conflicts_with_all = ["input", "backtest"])]
    ledger: Option<String>,
    /// Split stable's answers at random, and count how often the rules alarm though nothing is wrong
    #[arg(long)]
    backtest: bool,
    /// Try the rules on each stretch of so many seconds of the record as if a release had begun
    /// there: as it was where there are two releases, split at random where there is one
    #[arg(long, value_name = "SECONDS", requires = "backtest", conflicts_with = "runs")]
    window: Option<f64>,
    /// How many seconds after the beginning of a stretch the next one begins; they may overlap
    #[arg(long, value_name = "SECONDS", requires = "window")]
    step: Option<f64>,
    /// How many times they are split
    #[arg(long, default_value_t = 200, value_name = "NUMBER", requires = "backtest",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// The canary's chance in a split
    #[arg(long, default_value_t = 0.05, value_name = "CHANCE", requires = "backtest")]
    weight: f64,
    /// Other splits
    #[arg(long, default_value_t = 1, value_name = "NUMBER", requires = "backtest")]
    seed: u64,
    /// Show how the evidence came about
    #[arg(long)]
    trace: bool,
    /// By how many seconds a request may be older than one before it
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    reorder: f64,
    #[command(flatten)]
    rules: Rules,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    if !(0.0..=86_400.0).contains(&args.reorder) {
        let what = format!("--reorder is {}, it must be from 0 to 86400", args.reorder);
        return Err(Failure::new(Code::Usage, what));
    }
    if let Some(release) = &args.ledger {
        if args.rules.are_given() {
            return Err(Failure::new(Code::Usage, "a decision is judged by the rules it had")
                .hint("leave out --policy and the options that change rules"));
        }
        return ledger::run(release, args.trace, context);
    }
    let Some(input) = &args.input else {
        return Err(Failure::new(Code::Usage, "there is no --input to judge"));
    };
    let (policy, notes) = args.rules.resolve(context)?;
    if args.backtest {
        let (weight, reorder) = (share(args.weight)?, args.reorder);
        let trial = backtest::Trial { runs: args.runs, weight, seed: args.seed, reorder };
        match args.window {
            Some(length) => {
                let windows = Windows::new(length, args.step)?;
                windows::run(input, &policy, windows, trial, context.json)?;
            }
            None => backtest::run(&mut Lines::open(input)?, &policy, trial, context.json)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = Lines::open(input)?;
    let report = judge(&mut lines, &policy, notes, args, context.json)?;
    show(&report, context.json);
    Ok(ExitCode::from(report.exit_code()))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was just seen to be between 0 and the whole"
)]
fn share(chance: f64) -> Result<Share, Failure> {
    let parts = (chance * f64::from(WHOLE)).round();
    if (1.0..f64::from(WHOLE)).contains(&parts) {
        return Ok(parts as Share);
    }
    Err(Failure::new(Code::Usage, format!("--weight is {chance}, it must be between 0 and 1")))
}

/// Shows a report; for machines it is the last line.
fn show(report: &Report, json: bool) {
    if json {
        terminal::print(&report.json().to_string());
    } else {
        terminal::print(&report.text());
    }
}

/// Judges a record.
fn judge(
    lines: &mut Lines,
    policy: &JudgePolicy,
    mut notes: Vec<String>,
    args: &Args,
    json: bool,
) -> Result<Report, Failure> {
    let mut stream = Stream::new(policy, true);
    let mut repeats = Repeats::default();
    let needs_latency = policy.latency;
    loop {
        let (number, taken) = match lines.next()? {
            None => break,
            Some((number, line)) => {
                repeats.read(number, line);
                let request = Request::parse(line, needs_latency);
                (number, request.map(|request| stream.take(number, &request, args.reorder)))
            }
        };
        match taken {
            Ok(Ok(())) => {}
            Ok(Err(late)) => return Err(too_late(lines, number, late, args.reorder)),
            Err(wrong) => return Err(lines.wrong(number, &wrong.what).hint(wrong.hint)),
        }
    }
    refuse(lines, &stream.totals, &repeats)?;
    let said = stream.end();
    if args.trace {
        for (text, data) in stream.trace.lines() {
            terminal::print(&if json { data.to_string() } else { text });
        }
    }
    notes.extend(remarks(&stream, &repeats));
    let place = |place: stream::Place| (place.line, place.t);
    Ok(Report {
        said,
        unit: "request",
        decided: stream.decided.as_ref().map(|(decided, _)| place(*decided)),
        promotable: stream.promotable.map(place),
        notes,
        more: counts(&stream, &repeats),
    })
}

fn too_late(lines: &Lines, number: u64, late: TooLate, reorder: f64) -> Failure {
    let by = late.by;
    let what = format!("it is {by:.3} s older than a request before it; {reorder} s are allowed");
    lines
        .wrong(number, &what)
        .hint("sort the record by `t`: jq -sc 'sort_by(.t)[]' FILE")
        .hint("or allow more with --reorder SECONDS")
}

/// A record that as a whole says nothing, or the same twice.
fn refuse(lines: &Lines, totals: &Totals, repeats: &Repeats) -> Result<(), Failure> {
    let name = &lines.name;
    if totals.lines == 0 {
        return Err(Failure::new(Code::RecordUnreadable, format!("{name} has no requests"))
            .hint("write one JSON object for each request, stable's as well as the canary's"));
    }
    if repeats.too_many(totals.lines) {
        let (count, all) = (thousands(repeats.count), thousands(totals.lines));
        let first = repeats.first.unwrap_or_default();
        let what =
            format!("{name}: {count} of {all} lines repeat another, the first is line {first}");
        return Err(Failure::new(Code::RecordUnreadable, what)
            .hint("each request must be there once; was a file added twice?")
            .hint("where these are different requests, give each an `id`, or finer times"));
    }
    Ok(())
}

/// What a person should know about the record.
fn remarks(stream: &Stream, repeats: &Repeats) -> Vec<String> {
    let totals = &stream.totals;
    let both = totals.all;
    let mut remarks = vec![format!(
        "record      {} requests: canary {} errors in {}, stable {} errors in {}",
        thousands(totals.lines),
        thousands(both.canary.events),
        thousands(both.canary.total),
        thousands(both.stable.events),
        thousands(both.stable.total),
    )];
    let mut add = |count: u64, what: &str| {
        if count > 0 {
            remarks.push(format!("            {} {what}", thousands(count)));
        }
    };
    add(totals.uncompared, "with a chance of 0 or 1, which compare nothing");
    add(totals.late, "came a little late and were counted with those before them");
    add(repeats.count, "lines repeat another; each counts");
    if totals.of_users > 0 {
        add(totals.alone, "name no user and count each by themselves, beside users who count once");
    }
    add(stream.users.unheard, "of users beyond the first million, who are not heard");
    for (route, both) in &totals.routes {
        let route: String = route.chars().flat_map(char::escape_default).take(60).collect();
        remarks.push(format!(
            "route       {route}: canary {} errors in {}, stable {} in {}",
            thousands(both.canary.events),
            thousands(both.canary.total),
            thousands(both.stable.events),
            thousands(both.stable.total),
        ));
    }
    remarks
}

fn counts(stream: &Stream, repeats: &Repeats) -> Map<String, serde_json::Value> {
    let totals = &stream.totals;
    let both = |both: &stream::Both| {
        json!({ "canary": { "requests": both.canary.total, "errors": both.canary.events },
                "stable": { "requests": both.stable.total, "errors": both.stable.events } })
    };
    let routes: Map<_, _> =
        totals.routes.iter().map(|(route, of)| (route.clone(), both(of))).collect();
    let record = json!({ "requests": totals.lines, "arms": both(&totals.all), "routes": routes,
        "uncompared": totals.uncompared, "late": totals.late, "repeated": repeats.count,
        "of_users": totals.of_users, "users_not_heard": stream.users.unheard });
    Map::from_iter([("record".to_owned(), record)])
}
