//! How often would these rules have taken a good release back? The answers of stable are split at
//! random, again and again, into a canary and a stable that are the same release: each alarm is a
//! false one. Fixed limits are put to the same test.

use crate::cli::judge::draws::Draws;
use crate::cli::judge::lines::Lines;
use crate::cli::judge::request::{Arm, Request};
use crate::cli::judge::rules::{Fired, Usual, rules};
use crate::cli::judge::stream::Stream;
use crate::cli::words::thousands;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::analysis::JudgePolicy;
use ripcord_core::model::Share;
use ripcord_core::model::traffic::WHOLE;
use serde_json::json;

/// How many answers are kept; more of the record is not used.
const ANSWERS_MAX: usize = 2_000_000;

/// With fewer, nothing can be said.
const ANSWERS_MIN: usize = 1_000;

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
    for (rule, policy) in rules(policy, &usual(&answers)) {
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

fn usual(answers: &[Answer]) -> Usual {
    let mut usual = Usual::new();
    for answer in answers {
        usual.add(answer.failed, answer.bucket);
    }
    usual
}

/// Whether one random split makes the rules alarm; else the number of an answer that is too late.
fn alarm(answers: &[Answer], policy: &JudgePolicy, trial: Trial, run: u32) -> Result<bool, u64> {
    let mut stream = Stream::new(policy, false);
    let mut draws = Draws::of(trial.seed, u64::from(run));
    let salt = draws.next();
    for (number, answer) in (1..).zip(answers) {
        // A user keeps the release, by a toss of their own.
        let draw = match answer.user {
            Some(user) => Draws::new(user ^ salt).next(),
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

fn show(fired: &[Fired], answers: usize, more: bool, trial: Trial, json: bool) {
    let Trial { runs, weight, seed, .. } = trial;
    let share = f64::from(weight) / f64::from(WHOLE);
    if json {
        let object = json!({ "backtest": { "answers": answers, "cut": more, "weight": share,
            "runs": runs, "seed": seed, "rules": fired } });
        return terminal::print(&object.to_string());
    }
    let rows: Vec<Vec<String>> = fired.iter().map(Fired::row).collect();
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
        let (_, policy) = rules(&policy, &usual(answers)).swap_remove(rule);
        let trial = Trial { runs: 40, weight: 500, seed: 1, reorder: 0.0 };
        (0..trial.runs).map(|run| u32::from(alarm(answers, &policy, trial, run).unwrap())).sum()
    }

    #[test]
    fn a_limit_near_what_is_usual_alarms_and_the_comparison_does_not() {
        let answers = answers(60_000, 100);
        assert!(rate(0, &answers) <= 2, "the comparison");
        assert_eq!(rate(1, &answers), 40, "over 1 % in a minute, once");
    }
}
