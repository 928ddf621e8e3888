//! Had each stretch of a service's history been the time of a release, how often would the rules
//! have taken one back? A record of two releases is judged as it was; a record of one is divided at
//! random into two parts that are the same release, so that each alarm is a false one.
//!
//! The record is read twice and not kept, so it may be of any length.

use crate::cli::judge::backtest::Trial;
use crate::cli::judge::draws::Draws;
use crate::cli::judge::lines::Lines;
use crate::cli::judge::request::{Arm, Request};
use crate::cli::judge::rules::{Fired, Usual, rules};
use crate::cli::judge::stream::Stream;
use crate::cli::words::thousands;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::analysis::JudgePolicy;
use ripcord_core::model::traffic::WHOLE;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// How many stretches may overlap at any time.
const OVERLAP_MAX: f64 = 48.0;

/// The longest stretch: 30 days.
const SECONDS_MAX: f64 = 30.0 * 86_400.0;

/// How many alarms are named one by one.
const ALARMS_MAX: usize = 20;

/// Which stretches, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Windows {
    length: f64,
    step: f64,
}

/// An alarm, for whoever wants to look at what happened then.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Alarm {
    rule: String,
    /// When the stretch began, and when the release would have gone.
    window: f64,
    at: f64,
}

/// What came of all stretches.
#[derive(Debug, Default)]
struct Findings {
    /// How often each rule alarmed.
    alarms: Vec<u32>,
    windows: u32,
    /// Stretches in which one of the two got nothing.
    quiet: u32,
    first: Vec<Alarm>,
}

impl Windows {
    /// Stretches of this length, one beginning a step after the other; without overlap and gaps
    /// where no step is said.
    pub(super) fn new(length: f64, step: Option<f64>) -> Result<Windows, Failure> {
        let step = step.unwrap_or(length);
        let refuse = |what: String| Err(Failure::new(Code::Usage, what));
        if !(1.0..=SECONDS_MAX).contains(&length) {
            return refuse(format!("--window is {length}, it must be from 1 to {SECONDS_MAX}"));
        }
        if !(length / OVERLAP_MAX..=SECONDS_MAX).contains(&step) {
            let least = length / OVERLAP_MAX;
            return refuse(format!("--step is {step}, it must be from {least} to {SECONDS_MAX}"));
        }
        Ok(Windows { length, step })
    }

    /// Which stretches a time is in, after the beginning of the record.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not below zero, and times are below 1e11 seconds with steps of a fiftieth at least"
    )]
    fn around(self, since: f64) -> std::ops::Range<u64> {
        let past = ((since - self.length) / self.step).floor() + 1.0;
        let next = (since / self.step).floor() + 1.0;
        past.max(0.0) as u64..next.max(0.0) as u64
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of stretches are far below 2^52")]
    fn begins(self, number: u64) -> f64 {
        number as f64 * self.step
    }

    /// What as many overlapping stretches are worth.
    fn worth(self) -> f64 {
        (self.step / self.length).min(1.0)
    }
}

/// Tries the rules on every stretch of a record.
pub(super) fn run(
    path: &Path,
    policy: &JudgePolicy,
    windows: Windows,
    trial: Trial,
    json: bool,
) -> Result<(), Failure> {
    if path.as_os_str() == "-" {
        let what = "a record that is judged stretch by stretch is read twice";
        return Err(Failure::new(Code::Usage, what).hint("write it to a file and name that"));
    }
    let (usual, has_canary) = survey(&mut Lines::open(path)?, policy)?;
    let rules = rules(policy, &usual);
    let mut history = History {
        windows,
        trial,
        splits: !has_canary,
        rules: &rules,
        origin: None,
        newest: 0.0,
        open: BTreeMap::new(),
        findings: Findings { alarms: vec![0; rules.len()], ..Findings::default() },
    };
    let mut lines = Lines::open(path)?;
    let mut requests = 0_u64;
    while let Some((number, line)) = lines.next()? {
        let taken = match Request::parse(line, policy.latency) {
            Ok(request) => history.take(number, &request),
            Err(wrong) => return Err(lines.wrong(number, &wrong.what).hint(wrong.hint)),
        };
        requests += 1;
        taken.map_err(|TooLate| {
            lines
                .wrong(number, "it is older than the requests before it")
                .hint("sort the record by `t`, or allow more with --reorder SECONDS")
        })?;
    }
    history.close(true);
    let findings = history.findings;
    if findings.windows == 0 {
        let what =
            format!("{}: no stretch of {} s is whole and has requests", lines.name, windows.length);
        return Err(Failure::new(Code::RecordUnreadable, what)
            .hint("ask for shorter ones with --window SECONDS, or record longer"));
    }
    show(&Shown { rules: &rules, findings, windows, trial, requests, splits: !has_canary }, json);
    Ok(())
}

/// What stable answers as a rule, and whether a canary was beside it.
fn survey(lines: &mut Lines, policy: &JudgePolicy) -> Result<(Usual, bool), Failure> {
    let (mut usual, mut has_canary) = (Usual::new(), false);
    while let Some((number, line)) = lines.next()? {
        match Request::parse(line, policy.latency) {
            Ok(Request { arm: Arm::Stable, failed, bucket, .. }) => usual.add(failed, bucket),
            Ok(_) => has_canary = true,
            Err(wrong) => return Err(lines.wrong(number, &wrong.what).hint(wrong.hint)),
        }
    }
    Ok((usual, has_canary))
}

/// A request that is older than those before it by more than is forgiven.
#[derive(Debug, PartialEq, Eq)]
struct TooLate;

/// A record as it goes by.
struct History<'a> {
    windows: Windows,
    trial: Trial,
    /// Whether stable's answers are divided at random.
    splits: bool,
    rules: &'a [(String, JudgePolicy)],
    origin: Option<f64>,
    newest: f64,
    open: BTreeMap<u64, Case>,
    findings: Findings,
}

/// One stretch before all rules.
struct Case {
    streams: Vec<Stream>,
    draws: Draws,
    salt: u64,
    canary: u64,
    stable: u64,
}

impl History<'_> {
    fn take(&mut self, number: u64, request: &Request<'_>) -> Result<(), TooLate> {
        let origin = *self.origin.get_or_insert(request.t);
        if self.newest - request.t > self.trial.reorder {
            return Err(TooLate);
        }
        self.newest = self.newest.max(request.t);
        self.close(false);
        for window in self.windows.around(request.t - origin) {
            let (rules, seed) = (self.rules, self.trial.seed);
            let case = self.open.entry(window).or_insert_with(|| Case::new(rules, seed, window));
            let (arm, weight) = if self.splits {
                case.divide(request, self.trial)
            } else {
                (request.arm, request.weight)
            };
            let request = Request { arm, weight, route: None, ..request.clone() };
            case.take(number, &request, self.trial.reorder)?;
        }
        Ok(())
    }

    /// Ends the stretches of which nothing can come any more; at the end of the record, those that
    /// are not whole are left out.
    fn close(&mut self, is_end: bool) {
        let Some(origin) = self.origin else { return };
        while let Some(case) = self.open.first_entry() {
            let begins = origin + self.windows.begins(*case.key());
            let ends = begins + self.windows.length;
            let patience = if is_end { 0.0 } else { self.trial.reorder };
            if ends + patience > self.newest {
                break;
            }
            let case = case.remove();
            self.findings.add(&case, self.rules, begins);
        }
    }
}

impl Case {
    fn new(rules: &[(String, JudgePolicy)], seed: u64, window: u64) -> Case {
        let mut draws = Draws::of(seed, window);
        let salt = draws.next();
        let streams = rules.iter().map(|(_, policy)| Stream::new(policy, false)).collect();
        Case { streams, draws, salt, canary: 0, stable: 0 }
    }

    /// Who answers in this stretch; a user keeps the release, by a toss of their own.
    fn divide(&mut self, request: &Request<'_>, trial: Trial) -> (Arm, u16) {
        let draw = match request.user {
            Some(user) => Draws::new(user ^ self.salt).next(),
            None => self.draws.next(),
        };
        let is_canary = draw % u64::from(WHOLE) < u64::from(trial.weight);
        (if is_canary { Arm::Canary } else { Arm::Stable }, trial.weight)
    }

    fn take(&mut self, number: u64, request: &Request<'_>, reorder: f64) -> Result<(), TooLate> {
        if request.weight > 0 && request.weight < WHOLE {
            match request.arm {
                Arm::Canary => self.canary += 1,
                Arm::Stable => self.stable += 1,
            }
        }
        for stream in self.streams.iter_mut().filter(|stream| stream.decided.is_none()) {
            stream.take(number, request, reorder).map_err(|_| TooLate)?;
        }
        Ok(())
    }
}

impl Findings {
    fn add(&mut self, case: &Case, rules: &[(String, JudgePolicy)], begins: f64) {
        if case.canary == 0 || case.stable == 0 {
            self.quiet += 1;
            return;
        }
        self.windows += 1;
        for ((stream, alarms), (rule, _)) in case.streams.iter().zip(&mut self.alarms).zip(rules) {
            let Some((place, _)) = &stream.decided else { continue };
            *alarms += 1;
            if self.first.len() < ALARMS_MAX {
                self.first.push(Alarm { rule: rule.clone(), window: begins, at: place.t });
            }
        }
    }
}

/// All that is said in the end.
struct Shown<'a> {
    rules: &'a [(String, JudgePolicy)],
    findings: Findings,
    windows: Windows,
    trial: Trial,
    requests: u64,
    splits: bool,
}

fn show(shown: &Shown<'_>, json: bool) {
    let Shown { rules, findings, windows, trial, requests, splits } = shown;
    let Findings { alarms, windows: count, quiet, first } = findings;
    let fired: Vec<Fired> = rules
        .iter()
        .zip(alarms)
        .map(|((rule, _), alarms)| {
            Fired::overlapping(rule.clone(), *alarms, *count, windows.worth())
        })
        .collect();
    let share = f64::from(trial.weight) / f64::from(WHOLE);
    if json {
        let weight = splits.then_some(share);
        let object = json!({ "backtest": { "requests": requests, "windows": count, "quiet": quiet,
            "length": windows.length, "step": windows.step, "split": splits, "weight": weight,
            "seed": trial.seed, "rules": fired, "alarms": first } });
        return terminal::print(&object.to_string());
    }
    let rows: Vec<Vec<String>> = fired.iter().map(Fired::row).collect();
    let head = if *splits { "false alarms" } else { "alarms" };
    terminal::print(&terminal::table(&["rule", head, "rate", "95 %"], &rows));
    let (length, step) = (windows.length, windows.step);
    terminal::print(&format!(
        "\n{} requests in {count} stretches of {length} s, one each {step} s; {quiet} more had \
         nothing to compare.",
        thousands(*requests)
    ));
    terminal::print(&if *splits {
        format!(
            "In each, stable's answers were divided at random with {} % for the canary (seed {}): \
             both parts are\nthe same release, so each alarm is false.",
            100.0 * share,
            trial.seed
        )
    } else {
        "The releases are judged as they were; whether an alarm was right, the record does not say."
            .to_owned()
    });
    for Alarm { rule, window, at } in first {
        terminal::print(&format!("  {window:.0}: {rule}, at {at:.3}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_stretches_a_time_is_in() {
        let around = |length, step, since| Windows { length, step }.around(since);
        assert_eq!(around(60.0, 60.0, 0.0), 0..1);
        assert_eq!(around(60.0, 60.0, 59.9), 0..1);
        assert_eq!(around(60.0, 60.0, 60.0), 1..2);
        assert_eq!(around(60.0, 20.0, 70.0), 1..4);
        assert_eq!(around(60.0, 90.0, 70.0).count(), 0, "between two");
        assert!(around(60.0, 60.0, -1.0).is_empty(), "older than the first");
    }

    #[test]
    fn lengths_and_steps_are_bounded() {
        assert!(Windows::new(60.0, None).is_ok_and(|windows| windows.worth() >= 1.0));
        assert!(Windows::new(60.0, Some(30.0)).is_ok_and(|windows| windows.worth() <= 0.5));
        assert!(Windows::new(60.0, Some(600.0)).is_ok_and(|windows| windows.worth() <= 1.0));
        for (length, step) in
            [(0.0, None), (f64::NAN, None), (1e12, None), (60.0, Some(0.0)), (60.0, Some(1.0))]
        {
            assert!(Windows::new(length, step).is_err(), "{length} {step:?}");
        }
    }
}
