//! How the evidence came about: some two hundred points over the whole record, however long it
//! is, and each change of the verdict.

use crate::cli::judge::blocks::name;
use crate::cli::judge::stream::{Both, Place};
use ripcord_core::analysis::Verdict;
use serde_json::{Value, json};

/// The most points, and the most changes.
const POINTS_MAX: usize = 200;

/// The course of a judgement.
#[derive(Debug, Default)]
pub(super) struct Trace {
    points: Vec<Point>,
    /// Every so many requests there is a point: 2 to the power of this.
    sparse: u32,
    heard: u64,
    changes: Vec<Change>,
    /// Changes that are not kept.
    omitted: u64,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    place: Place,
    evidence: f64,
    both: Both,
}

#[derive(Debug, Clone)]
struct Change {
    place: Place,
    verdict: &'static str,
    because: String,
}

impl Trace {
    /// Takes note of a request, if it is its turn.
    pub(super) fn point(&mut self, place: Place, now: impl FnOnce() -> (f64, Both)) {
        let turn = self.heard.trailing_zeros() >= self.sparse;
        self.heard += 1;
        if !turn {
            return;
        }
        let (evidence, both) = now();
        self.points.push(Point { place, evidence, both });
        if self.points.len() >= POINTS_MAX {
            // Every other one goes; the first one stays.
            let mut index = 0_u32;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.sparse += 1;
        }
    }

    /// Takes note of another verdict.
    pub(super) fn change(&mut self, place: Place, verdict: &Verdict) {
        if self.changes.len() >= POINTS_MAX {
            self.omitted += 1;
            return;
        }
        let because = match verdict {
            Verdict::Continue => "nothing speaks against it, and it is good enough".to_owned(),
            Verdict::Wait { need: because }
            | Verdict::GoBack { because }
            | Verdict::Undecided { because } => because.clone(),
        };
        self.changes.push(Change { place, verdict: name(verdict), because });
    }

    /// All of it, in the order of the record.
    pub(super) fn lines(&self) -> Vec<(String, Value)> {
        let points = self.points.iter().map(|point| (point.place.line, 0, point.shown()));
        let changes = self.changes.iter().map(|change| (change.place.line, 1, change.shown()));
        let mut all: Vec<_> = points.chain(changes).collect();
        all.sort_by_key(|(line, kind, _)| (*line, *kind));
        let mut lines: Vec<_> = all.into_iter().map(|(_, _, shown)| shown).collect();
        if self.omitted > 0 {
            let omitted = self.omitted;
            lines.push((
                format!("{omitted} more changes of the verdict are not shown"),
                json!({ "trace": "omitted", "changes": omitted }),
            ));
        }
        lines
    }
}

impl Point {
    fn shown(&self) -> (String, Value) {
        let Point { place: Place { line, t }, evidence, both: Both { canary, stable } } = self;
        let text = format!(
            "{line:>9}  {t:>14.3}  evidence {evidence:>10.3}  canary {} of {}, stable {} of {}",
            canary.events, canary.total, stable.events, stable.total
        );
        let data = json!({ "trace": "point", "request": line, "at": t, "evidence": evidence,
            "canary": { "errors": canary.events, "requests": canary.total },
            "stable": { "errors": stable.events, "requests": stable.total } });
        (text, data)
    }
}

impl Change {
    fn shown(&self) -> (String, Value) {
        let Change { place: Place { line, t }, verdict, because } = self;
        let text = format!("{line:>9}  {t:>14.3}  {}: {because}", verdict.replace('_', " "));
        let data = json!({ "trace": "verdict", "request": line, "at": t, "verdict": verdict,
            "because": because });
        (text, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_bounded_and_spans_everything() {
        let mut trace = Trace::default();
        for line in 1..=100_000_u64 {
            let place = Place { line, t: 0.0 };
            trace.point(place, || (1.0, Both::default()));
            trace.change(place, &Verdict::Continue);
        }
        assert!((100..=POINTS_MAX).contains(&trace.points.len()), "{}", trace.points.len());
        assert_eq!(trace.points[0].place.line, 1);
        let last = trace.points.last().map_or(0, |point| point.place.line);
        assert!(last > 99_000, "{last}");
        let gaps: Vec<u64> =
            trace.points.windows(2).map(|pair| pair[1].place.line - pair[0].place.line).collect();
        assert!(gaps.iter().all(|gap| *gap == gaps[0]), "{gaps:?}");
        assert_eq!(trace.lines().len(), trace.points.len() + POINTS_MAX + 1);
    }
}
