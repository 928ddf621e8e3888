//! What is said of a judgement, to people and to machines; the same for a record of requests and
//! for a decision of the ledger.

use crate::cli::judge::blocks::name;
use crate::cli::words::{number, thousands, time};
use ripcord_core::analysis::{Assessment, Verdict};
use ripcord_core::report::replay::state;
use serde_json::{Map, Value, json};

/// A judgement with the places where it fell.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) said: Assessment,
    /// What a place is: a `request` or an `entry`.
    pub(super) unit: &'static str,
    /// Which one decided, and when, in seconds.
    pub(super) decided: Option<(u64, f64)>,
    /// Which one made it good enough.
    pub(super) promotable: Option<(u64, f64)>,
    /// What else is to be said, for people and for machines.
    pub(super) notes: Vec<String>,
    pub(super) more: Map<String, Value>,
}

impl Report {
    /// The exit code: 0 good enough so far, 4 bad, 5 nobody knows.
    pub(super) fn exit_code(&self) -> u8 {
        match self.said.verdict {
            Verdict::Continue => 0,
            Verdict::GoBack { .. } => 4,
            Verdict::Wait { .. } | Verdict::Undecided { .. } => 5,
        }
    }

    /// Why, in a sentence or two.
    fn because(&self) -> String {
        match &self.said.verdict {
            Verdict::GoBack { because } | Verdict::Undecided { because } => because.clone(),
            Verdict::Continue => self.said.words.clone(),
            Verdict::Wait { need } => format!("{} Still needed: {need}.", self.said.words),
        }
    }

    /// For machines, on one line.
    pub(super) fn json(&self) -> Value {
        let said = &self.said;
        let of = |wanted: &str| {
            said.metrics.iter().find(|one| one.name == wanted).map(|one| one.evidence)
        };
        let arm = |pair: ripcord_core::analysis::Pair| json!({ "requests": pair.total, "errors": pair.events });
        let mut object = json!({
            "verdict": name(&said.verdict),
            "at": self.decided.map(|(_, at)| at),
            "evidence": { "total": said.evidence, "errors": of("errors"), "latency": of("latency") },
            "threshold": said.enough,
            "lift": said.lift,
            "counts": { "canary": arm(said.counts.canary), "stable": arm(said.counts.stable) },
            "metrics": said.metrics,
            "promotable": said.promotable,
            "promotable_at": self.promotable.map(|(place, _)| place),
            "suspect": said.suspect,
            "because": self.because(),
            "need": said.need,
        });
        if let Value::Object(fields) = &mut object {
            fields.insert(self.unit.to_owned(), json!(self.decided.map(|(place, _)| place)));
            fields.extend(self.more.clone());
        }
        object
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let said = &self.said;
        let place = |(place, at): (u64, f64)| {
            format!("{} {}, after {}", self.unit, thousands(place), seconds(at))
        };
        let head = match &said.verdict {
            Verdict::GoBack { .. } => "GO BACK",
            Verdict::Continue => "CONTINUE",
            Verdict::Wait { .. } => "WAIT",
            Verdict::Undecided { .. } => "UNDECIDED",
        };
        let head = match self.decided {
            Some(decided) => format!("{head} at {}", place(decided)),
            None => head.to_owned(),
        };
        let rows: Vec<Vec<String>> = said
            .metrics
            .iter()
            .map(|one| {
                let evidence = number(one.evidence);
                vec![one.name.clone(), state(one.state).to_owned(), evidence, one.words.clone()]
            })
            .collect();
        let table = crate::terminal::table(&["metric", "state", "evidence", ""], &rows);
        let (evidence, enough) = (number(said.evidence), number(said.enough));
        let promotable = match (said.promotable, self.promotable) {
            (true, Some(first)) => format!("yes, first at {}", place(first)),
            (true, None) => "yes".to_owned(),
            (false, Some(first)) => format!("no longer; it was at {}", place(first)),
            (false, None) => self.needed(),
        };
        let mut lines = vec![head, self.because(), String::new(), table, String::new()];
        lines.push(format!("evidence    {evidence}, the release goes at {enough}"));
        lines.push(format!("promotable  {promotable}"));
        lines.extend(self.notes.iter().cloned());
        lines.join("\n")
    }

    /// That it is not good enough, and what is lacking.
    fn needed(&self) -> String {
        let Some(need) = self.said.need else { return "no".to_owned() };
        let requests = thousands(need.requests);
        let time = need.ms.map(|ms| format!(", {}", time(ms))).unwrap_or_default();
        format!("no, about {requests} more canary requests{time}")
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.3} s")
}
