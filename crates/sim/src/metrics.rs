//! Simulated sources of metrics: one that answers, and those that do not, too late, or nonsense.

use crate::controller::Controller;
use crate::state::State;
use ripcord_core::model::ids::Millis;
use ripcord_engine::{Answer, Failure, Metrics, Question, Result};
use std::collections::BTreeMap;

/// How a source behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// It answers.
    #[default]
    Up,
    /// It says that it cannot.
    Down,
    /// It never answers.
    Silent,
    /// It answers after seconds.
    Slow,
    /// What it answers is no number.
    Nonsense,
}

impl Source {
    fn takes_ms(self) -> Option<Millis> {
        match self {
            Source::Up | Source::Down | Source::Nonsense => Some(30),
            Source::Slow => Some(3_000),
            Source::Silent => None,
        }
    }
}

/// The sources by name; one that is not named is up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    pub(crate) known: BTreeMap<String, Source>,
    /// Questions that are open, and when they are answered.
    open: BTreeMap<Question, Millis>,
}

impl State {
    /// What a question is answered with at this moment: `errors` and `requests` count what a
    /// release answered, anything else is a value that releases have as a trait.
    fn value(&self, question: &Question) -> Result<Option<f64>> {
        let source = self.sources.known.get(&question.source).copied().unwrap_or_default();
        match source {
            Source::Down => return Err(Failure::transient(format!("{} is down", question.source))),
            Source::Nonsense => return Ok(Some(f64::NAN)),
            Source::Up | Source::Slow | Source::Silent => {}
        }
        let counts = self.proxy.counts.get(&question.release);
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let value = match question.query.as_str() {
            "errors" => counts.map(|counts| counts.errors as f64),
            "requests" => counts.map(|counts| counts.requests as f64),
            _ => self.releases.get(&question.release).map(|one| one.traits.value as f64),
        };
        Ok(value)
    }
}

impl Metrics for Controller<'_> {
    fn ask(&self, question: &Question) {
        self.with(|state| {
            let source = state.sources.known.get(&question.source).copied().unwrap_or_default();
            if let Some(takes_ms) = source.takes_ms() {
                let due = state.now_ms + takes_ms;
                state.sources.open.entry(question.clone()).or_insert(due);
            }
        });
    }

    fn answers(&self) -> Vec<Answer> {
        self.with(|state| {
            let now = state.now_ms;
            let due: Vec<Question> = state
                .sources
                .open
                .iter()
                .filter(|(_, due)| **due <= now)
                .map(|(question, _)| question.clone())
                .collect();
            due.into_iter()
                .map(|question| {
                    state.sources.open.remove(&question);
                    let result = state.value(&question);
                    Answer { question, result }
                })
                .collect()
        })
    }
}
