//! Evaluating in process, without HTTP.

use crate::documents::{USUAL, document, question};
use crate::{Bar, Row};
use ripcord_flags::{Context, FlagSet};
use serde_json::Value;
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: u32 = 300_000;

pub(crate) fn measure() -> Vec<Row> {
    let set = FlagSet::parse(&document(USUAL, true)).unwrap();
    let question: Value = serde_json::from_str(&question(1)).unwrap();
    let row = |what: &str, key: &str, bar: f64| {
        let time = || {
            let context = Context::new(&question["context"], 1).unwrap();
            let began = Instant::now();
            for _ in 0..ROUNDS {
                black_box(set.evaluate(black_box(key), &context));
            }
            began.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
        };
        // The best of several: whatever else the machine does only adds.
        let best = (0..5).map(|_| time()).fold(f64::INFINITY, f64::min);
        Row::new(format!("in process, {what}"), best, "us", Bar::AtMost(bar))
    };
    vec![
        row("static", "flag-00000", 1.0),
        row("targeting with three conditions", "flag-00001", 2.0),
        row("fractional", "flag-00002", 3.0),
    ]
}
