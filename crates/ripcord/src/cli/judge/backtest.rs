//! How often would these rules have taken a good release back? The answers of stable are split at
//! random, again and again, into a canary and a stable that are the same release: each alarm is a
//! false one. Fixed limits are put to the same test.

use crate::cli::judge::lines::Lines;
use crate::cli::judge::request::{Arm, Request};
use crate::cli::judge::stream::Stream;
use crate::cli::words::thousands;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::analysis::{JudgePolicy, Thresholds};
use ripcord_core::model::Share;
use ripcord_core::model::traffic::WHOLE;
use serde::Serialize;
use serde_json::json;

/// How many answers are kept; more of the record is not used.
const ANSWERS_MAX: usize = 2_000_000;

/// With fewer, nothing can be said.
const ANSWERS_MIN: usize = 1_000;

/// How long the windows of fixed limits are, and how many in a row must be over the limit.
const WINDOW_MS: u64 = 60_000;
const IN_A_ROW: u32 = 3;

/// What is to be tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    pub(super) runs: u32,
    pub(super) weight: Share,
    pub(super) seed: u64,
    /// How late a request may come, in seconds.
    pub(super) reorder: f64,
}

/// What was answered.
#[derive(Debug, Clone, Copy)]
struct Answer {
    t: f64,
    user: Option<u64>,
    bucket: Option<u16>,
    failed: bool,
}

/// How often one rule alarmed.
#[derive(Debug, Clone, Serialize)]
struct Fired {
    rule: String,
    alarms: u32,
    runs: u32,
    rate: f64,
    low: f64,
    high: f64,
}

/// Tries the rules on a record.
pub(super) fn run(
    lines: &mut Lines,
    policy: &JudgePolicy,
    trial: Trial,
    json: bool,
) -> Result<(), Failure> {
    let (answers, more) = read(lines, policy.latency)?;
    if answers.len() < ANSWERS_MIN {
        let what = format!(
            "{} has {} answers of stable; {} are needed to try rules on them",
            lines.name,
            answers.len(),
            thousands(ANSWERS_MIN as u64)
        );
        return Err(Failure::new(Code::RecordUnreadable, what)
            .hint("record longer: a day says more about false alarms than an hour"));
    }
    let mut fired = Vec::new();
    for (rule, policy) in rules(policy, &answers) {
        let mut alarms = 0;
        for run in 0..trial.runs {
            alarms += u32::from(alarm(&answers, &policy, trial, run).map_err(|late| {
                lines
                    .wrong(late, "it is older than the requests before it")
                    .hint("sort the record by `t`, or allow more with --reorder SECONDS")
            })?);
        }
        fired.push(Fired::new(rule, alarms, trial.runs));
    }
    show(&fired, answers.len(), more, trial, json);
    Ok(())
}

/// The answers of stable, and whether there were more than can be kept.
fn read(lines: &mut Lines, needs_latency: bool) -> Result<(Vec<Answer>, bool), Failure> {
    let mut answers = Vec::new();
    loop {
        let (number, request) = match lines.next()? {
            None => return Ok((answers, false)),
            Some((number, line)) => (number, Request::parse(line, needs_latency)),
        };
        let request = match request {
            Ok(Request { t, arm, user, bucket, failed, .. }) => {
                (arm == Arm::Stable).then_some(Answer { t, user, bucket, failed })
            }
            Err(wrong) => return Err(lines.wrong(number, &wrong.what).hint(wrong.hint)),
        };
        answers.extend(request);
        if answers.len() >= ANSWERS_MAX {
            return Ok((answers, true));
        }
    }
}

/// The rules that are tried: the comparison alone, and fixed limits alone.
fn rules(policy: &JudgePolicy, answers: &[Answer]) -> Vec<(String, JudgePolicy)> {
    let mut rules = Vec::new();
    if policy.errors || policy.latency {
        let compares = JudgePolicy { thresholds: None, ..policy.clone() };
        let percent = f64::from(policy.alpha_ppm) / 1e4;
        rules.push((format!("the comparison, at most {percent} % by its rules"), compares));
    }
    let limits = |limits: Thresholds| JudgePolicy {
        errors: false,
        latency: false,
        thresholds: Some(limits),
        ..policy.clone()
    };
    if let Some(own) = &policy.thresholds {
        rules.push(("the fixed limits of the policy".to_owned(), limits(own.clone())));
    }
    let limit = |errors, p99, consecutive| {
        limits(Thresholds {
            max_error_rate_ppm: errors,
            max_p99_ms: p99,
            consecutive,
            window_ms: WINDOW_MS,
            slo_ppm: None,
        })
    };
    let (usual_ppm, p99_ms) = usual(answers);
    // Twice what is usual, in hundredths of a percent.
    let twice = usual_ppm.saturating_mul(2).next_multiple_of(100).clamp(100, 1_000_000);
    let mut rates = vec![10_000, twice];
    rates.dedup();
    for rate in rates {
        for times in [1, IN_A_ROW] {
            let percent = f64::from(rate) / 1e4;
            let rule = format!("errors over {percent} % in a minute, {}", in_a_row(times));
            rules.push((rule, limit(Some(rate), None, times)));
        }
    }
    if let Some(p99_ms) = p99_ms {
        let most = p99_ms.saturating_add(p99_ms / 4).max(p99_ms + 1);
        let rule = format!("p99 over {most} ms in a minute, {}", in_a_row(IN_A_ROW));
        rules.push((rule, limit(None, Some(most), IN_A_ROW)));
    }
    rules
}

fn in_a_row(times: u32) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times in a row") }
}

/// The share of errors in parts per million, and the 99th percentile of latency in milliseconds.
fn usual(answers: &[Answer]) -> (u32, Option<u64>) {
    let all = answers.len() as u64;
    let failed = answers.iter().filter(|answer| answer.failed).count() as u64;
    let ppm = u32::try_from(failed.saturating_mul(1_000_000) / all.max(1)).unwrap_or(1_000_000);
    let mut buckets: Vec<u16> = answers.iter().filter_map(|answer| answer.bucket).collect();
    buckets.sort_unstable();
    let p99 = buckets.get(buckets.len().saturating_mul(99) / 100).copied();
    let end_us = |bucket: u16| ripcord_proxy::Histogram::upper_us(usize::from(bucket));
    (ppm, p99.and_then(end_us).map(|us| us.div_ceil(1_000)))
}

/// Whether one random split makes the rules alarm; else the number of an answer that is too late.
fn alarm(answers: &[Answer], policy: &JudgePolicy, trial: Trial, run: u32) -> Result<bool, u64> {
    let mut stream = Stream::new(policy, false);
    let mut draws =
        Draws(trial.seed.wrapping_add(u64::from(run).wrapping_mul(0x5851_f42d_4c95_7f2d)));
    let salt = draws.next();
    for (number, answer) in (1..).zip(answers) {
        // A user keeps the release, by a toss of their own.
        let draw = match answer.user {
            Some(user) => Draws(user ^ salt).next(),
            None => draws.next(),
        };
        let arm = if draw % u64::from(WHOLE) < u64::from(trial.weight) {
            Arm::Canary
        } else {
            Arm::Stable
        };
        let Answer { t, user, bucket, failed } = *answer;
        let request = Request { t, arm, weight: trial.weight, failed, bucket, user, route: None };
        stream.take(number, &request, trial.reorder).map_err(|_| number)?;
        if stream.decided.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Random numbers that are the same on every machine.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Fired {
    /// With the 95 % interval of Wilson.
    fn new(rule: String, alarms: u32, runs: u32) -> Fired {
        let (n, rate) = (f64::from(runs), f64::from(alarms) / f64::from(runs));
        let z = 1.96_f64;
        let middle = rate + z * z / (2.0 * n);
        let spread = z * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + z * z / n;
        let low = if alarms == 0 { 0.0 } else { (middle - spread) / whole };
        let high = if alarms == runs { 1.0 } else { (middle + spread) / whole };
        Fired { rule, alarms, runs, rate, low, high }
    }
}

fn show(fired: &[Fired], answers: usize, more: bool, trial: Trial, json: bool) {
    let Trial { runs, weight, seed, .. } = trial;
    let share = f64::from(weight) / f64::from(WHOLE);
    if json {
        let object = json!({ "backtest": { "answers": answers, "cut": more, "weight": share,
            "runs": runs, "seed": seed, "rules": fired } });
        return terminal::print(&object.to_string());
    }
    let rows: Vec<Vec<String>> = fired
        .iter()
        .map(|one| {
            let percent = |part: f64| format!("{:.1} %", 100.0 * part);
            let between = format!("{} to {}", percent(one.low), percent(one.high));
            vec![one.rule.clone(), format!("{} of {runs}", one.alarms), percent(one.rate), between]
        })
        .collect();
    let head = ["rule", "false alarms", "rate", "95 %"];
    terminal::print(&terminal::table(&head, &rows));
    let first = if more { "the first " } else { "" };
    terminal::print(&format!(
        "\n{first}{} answers of stable, split {runs} times at random with {} % for the canary (seed \
         {seed}).\nBoth parts are the same release, so each alarm is false. The interval is about \
         the splits of this record,\nnot about other days.",
        thousands(answers as u64),
        100.0 * share
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(count: u32, one_in: u32) -> Vec<Answer> {
        let answer = |number: u32| Answer {
            t: f64::from(number) / 100.0,
            user: None,
            bucket: Some(100),
            failed: number % one_in == 7 % one_in,
        };
        (0..count).map(answer).collect()
    }

    fn rate(rule: usize, answers: &[Answer]) -> u32 {
        let policy = JudgePolicy { latency: false, ..JudgePolicy::default() };
        let (_, policy) = rules(&policy, answers).swap_remove(rule);
        let trial = Trial { runs: 40, weight: 500, seed: 1, reorder: 0.0 };
        (0..trial.runs).map(|run| u32::from(alarm(answers, &policy, trial, run).unwrap())).sum()
    }

    #[test]
    fn a_limit_near_what_is_usual_alarms_and_the_comparison_does_not() {
        let answers = answers(60_000, 100);
        assert!(rate(0, &answers) <= 2, "the comparison");
        assert_eq!(rate(1, &answers), 40, "over 1 % in a minute, once");
    }

    #[test]
    fn intervals() {
        let shown = |alarms| {
            let Fired { low, high, .. } = Fired::new(String::new(), alarms, 200);
            format!("{low:.4} {high:.4}")
        };
        assert_eq!(shown(0), "0.0000 0.0188");
        assert_eq!(shown(2), "0.0027 0.0357");
        assert_eq!(shown(200), "0.9812 1.0000");
    }
}
