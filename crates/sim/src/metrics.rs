//! Simulated sources of metrics: one that answers, and those that do not, too late, or nonsense.

use crate::controller::Controller;
use crate::state::State;
use ripcord_core::model::ids::Millis;
use ripcord_engine::{Answer, Failure, Memory, Metrics, Question, Result};
use std::collections::BTreeMap;

/// What a source remembers of a value, in parts of it: noise in which no value resembles the next.
const REMEMBERED: [f64; 240] = {
    let (mut values, mut index) = ([1.0; 240], 0);
    while index < values.len() {
        values[index] = match index * 7 % 5 {
            0 => 0.95,
            1 => 1.02,
            2 => 0.98,
            3 => 1.05,
            _ => 1.0,
        };
        index += 1;
    }
    values
};

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
    /// It answers, and remembers nothing.
    Forgetful,
}

impl Source {
    fn takes_ms(self) -> Option<Millis> {
        match self {
            Source::Up | Source::Down | Source::Nonsense | Source::Forgetful => Some(30),
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
    /// What somebody wants to know of the past.
    recalled: Vec<Question>,
}

impl State {
    /// What a question is answered with at this moment: `errors` and `requests` count what a
    /// release answered, anything else is a value that releases have as a trait.
    fn value(&self, question: &Question) -> Result<Option<f64>> {
        let source = self.sources.known.get(&question.source).copied().unwrap_or_default();
        match source {
            Source::Down => return Err(Failure::transient(format!("{} is down", question.source))),
            Source::Nonsense => return Ok(Some(f64::NAN)),
            Source::Up | Source::Slow | Source::Silent | Source::Forgetful => {}
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

    fn recall(&self, question: &Question) {
        self.with(|state| state.sources.recalled.push(question.clone()));
    }

    fn memories(&self) -> Vec<Memory> {
        self.with(|state| {
            let recalled = std::mem::take(&mut state.sources.recalled);
            let memory = |question: Question| {
                let source = state.sources.known.get(&question.source).copied();
                let values = match (source.unwrap_or_default(), state.value(&question)) {
                    (Source::Forgetful, _) => Ok(None),
                    // Values of the past are those of now, a little up and down.
                    (_, Ok(Some(value))) => Ok(Some(REMEMBERED.map(|part| part * value).into())),
                    (_, Ok(None)) => Ok(Some(Vec::new())),
                    (_, Err(failure)) => Err(failure),
                };
                Memory { question, values }
            };
            recalled.into_iter().map(memory).collect()
        })
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
