//! There and back with data: each step of a long list is made by Ripcord and by plain SQL, and
//! must come out the same; then it is taken back with its script, with a wrong one and with none,
//! and made again in between. Each time `pg_dump` and every row must be as they were. A refusal
//! counts as a failure.
//!
//! This is slower than other tests: it is the measure of what can be taken back.

mod shop;
mod steps;

use shop::{Shop, State};
use std::fmt::Write as _;
use steps::{Step, steps};

/// How a step is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// With the script of its author.
    Script,
    /// With a script that does something else, or not all of it.
    Wrong,
    /// Without any.
    None,
}

const WAYS: [Way; 3] = [Way::Script, Way::Wrong, Way::None];

/// What part of the ways back must arrive exactly, in percent.
const EXACT_MIN: usize = 99;

/// Takes a step there, back in each of these ways, and there again each time. Says of each way
/// what went wrong.
fn rounds(shop: &mut Shop, step: &Step, ways: &[Way]) -> Vec<(Way, String)> {
    let mut failed = Vec::new();
    let before = State::of(shop);
    let twin = Shop::new();
    if let Err(error) = twin.plain(step.up) {
        panic!("{} fails as plain SQL: {error}", step.name);
    }
    let after = State::of(&twin);
    let mut up = false;
    for way in ways {
        let round = || {
            if !up {
                shop.up(step, *way).map_err(|error| format!("up: {error}"))?;
                let same = after.same(&State::of(shop));
                same.map_err(|error| format!("up is not as plain SQL: {error}"))?;
            }
            shop.down(step, *way).map_err(|error| format!("down: {error}"))?;
            before.same(&State::of(shop)).map_err(|error| format!("after down: {error}"))?;
            shop.up(step, *way).map_err(|error| format!("again: {error}"))?;
            after.same(&State::of(shop)).map_err(|error| format!("made again: {error}"))
        };
        match round() {
            Ok(()) => up = true,
            Err(why) => {
                failed.push((*way, why));
                *shop = Shop::new();
                up = false;
            }
        }
    }
    if up && shop.down(step, Way::None).is_err() || before.same(&State::of(shop)).is_err() {
        *shop = Shop::new();
    }
    failed
}

/// Takes some of the steps there and back in some ways, and fails when too few arrive.
fn check(which: impl Fn(usize) -> bool, ways: impl Fn(usize) -> Vec<Way>) {
    let wanted = std::env::var("RIPCORD_STEP").unwrap_or_default();
    let (mut tried, mut failed, mut report) = (0, 0, String::new());
    let mut shop = Shop::new();
    for (at, step) in steps().enumerate() {
        if !which(at) || !wanted.split(',').any(|part| step.name.contains(part)) {
            continue;
        }
        let ways = ways(at);
        tried += ways.len();
        for (way, why) in rounds(&mut shop, step, &ways) {
            failed += 1;
            let _ = writeln!(report, "{} ({way:?}): {why}", step.name);
            if std::env::var("RIPCORD_ROUND_TRIPS").is_ok() {
                let line = format!("=== {} ({way:?}): {why}\n", step.name);
                drop(std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()));
            }
        }
    }
    let exact = tried - failed;
    // Known exceptions are read by people as well.
    let summary = format!("{exact} of {tried} came back exactly\n{report}");
    drop(std::io::Write::write_all(&mut std::io::stderr(), summary.as_bytes()));
    assert!(exact * 100 >= tried * EXACT_MIN, "{summary}");
}

/// A few steps, the ways in turn: the whole list takes a quarter of an hour.
#[test]
fn a_few_steps() {
    check(|at| at < 40 && at % 8 == 0, |at| vec![WAYS[(at / 8) % WAYS.len()]]);
}

/// Some of the rest in one way each, or, with `RIPCORD_ROUND_TRIPS=all`, all steps in all ways; in
/// two halves.
fn every_way(part: usize) {
    if std::env::var("RIPCORD_ROUND_TRIPS").is_ok_and(|which| which == "all") {
        check(|at| at % 2 == part, |_| WAYS.to_vec());
    } else {
        check(|at| at >= 40 && at % 24 == 12 * part + 1, |at| vec![WAYS[(at / 12) % WAYS.len()]]);
    }
}

#[test]
fn every_way_of_one_half() {
    every_way(0);
}

#[test]
fn every_way_of_the_other_half() {
    every_way(1);
}
