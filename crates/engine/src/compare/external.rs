//! Metrics from outside: which questions are due, and what their answers come to for the judge.
//!
//! A round asks the same of both releases. It counts when all answers are in; a round that stays
//! open too long, or to which the source has nothing to say, is missing, which is never good.

use crate::failure::Failure;
use crate::world::{Answer, Metrics, Question};
use ripcord_core::analysis::{MetricKind, MetricSpec, Pair, Reading, Sample};
use ripcord_core::model::ReleaseId;
use ripcord_core::model::ids::Millis;
use std::collections::BTreeMap;

/// After how many times its rhythm a round that is still open is given up.
const PATIENCE: Millis = 3;

/// All metrics of one comparison.
pub(super) struct External<'a> {
    metrics: &'a dyn Metrics,
    rounds: Vec<Round<'a>>,
}

/// One metric, and how far its present round is.
struct Round<'a> {
    spec: &'a MetricSpec,
    canary: [Question; 2],
    stable: [Question; 2],
    due_ms: Millis,
    /// When the open round began; none: no round is open.
    began_ms: Option<Millis>,
    answers: BTreeMap<Question, Heard>,
    /// What counters stood at, errors and requests of both releases.
    before: Option<[Counters; 2]>,
}

type Heard = Result<Option<f64>, Failure>;

/// Errors and requests.
type Counters = [f64; 2];

impl<'a> External<'a> {
    pub(super) fn new(
        metrics: &'a dyn Metrics,
        specs: &'a [MetricSpec],
        (canary, stable): (&ReleaseId, &ReleaseId),
    ) -> External<'a> {
        let rounds = specs.iter().map(|spec| Round {
            spec,
            canary: questions(spec, canary, stable),
            stable: questions(spec, stable, stable),
            due_ms: 0,
            began_ms: None,
            answers: BTreeMap::new(),
            before: None,
        });
        External { metrics, rounds: rounds.collect() }
    }

    /// Asks what is due and gives what has come of it.
    pub(super) fn look(&mut self, at_ms: Millis) -> Vec<Sample> {
        let answers = self.metrics.answers();
        let mut samples = Vec::new();
        for round in &mut self.rounds {
            for answer in &answers {
                round.hear(answer);
            }
            let reading = round.close(at_ms);
            let metric = round.spec.name.clone();
            samples.extend(reading.map(|reading| Sample { at_ms, metric, reading }));
            if round.began_ms.is_none() && at_ms >= round.due_ms {
                round.began_ms = Some(at_ms);
                round.asked().for_each(|question| self.metrics.ask(question));
            }
        }
        samples
    }
}

fn questions(spec: &MetricSpec, release: &ReleaseId, stable: &ReleaseId) -> [Question; 2] {
    let (first, second) = match &spec.kind {
        MetricKind::Counters { errors, requests } => (errors, requests),
        MetricKind::Gauge { value, .. } => (value, value),
    };
    [first, second].map(|query| Question {
        source: spec.source.clone(),
        query: query.clone(),
        release: release.clone(),
        stable: stable.clone(),
        window_ms: spec.every_ms,
    })
}

impl Round<'_> {
    fn asked(&self) -> impl Iterator<Item = &Question> {
        let each = match self.spec.kind {
            MetricKind::Counters { .. } => 2,
            MetricKind::Gauge { .. } => 1,
        };
        self.canary.iter().take(each).chain(self.stable.iter().take(each))
    }

    fn hear(&mut self, answer: &Answer) {
        if self.began_ms.is_some() && self.asked().any(|question| *question == answer.question) {
            self.answers.insert(answer.question.clone(), answer.result.clone());
        }
    }

    /// Ends the round if all answers are in or it took too long.
    fn close(&mut self, at_ms: Millis) -> Option<Reading> {
        let began_ms = self.began_ms?;
        let complete = self.asked().all(|question| self.answers.contains_key(question));
        let patience_ms = self.spec.every_ms.saturating_mul(PATIENCE);
        if !complete && at_ms.saturating_sub(began_ms) < patience_ms {
            return None;
        }
        let answers = std::mem::take(&mut self.answers);
        self.began_ms = None;
        self.due_ms = at_ms + self.spec.every_ms;
        if !complete {
            let why = format!("{} has not answered for {patience_ms} ms", self.spec.source);
            return Some(Reading::Missing { why });
        }
        if let Some(failure) = answers.values().find_map(|heard| heard.as_ref().err()) {
            return Some(Reading::Missing { why: failure.to_string() });
        }
        let value = |question: &Question| answers.get(question)?.as_ref().ok().copied()?;
        match self.spec.kind {
            MetricKind::Gauge { .. } => Some(self.gauge(value)),
            MetricKind::Counters { .. } => self.counters(value),
        }
    }

    fn gauge(&self, value: impl Fn(&Question) -> Option<f64>) -> Reading {
        match (value(&self.canary[0]), value(&self.stable[0])) {
            (Some(canary), Some(stable)) => Reading::Gauge { canary, stable },
            (None, _) => self.no_series("the canary"),
            (_, None) => self.no_series("stable"),
        }
    }

    /// What was counted since the last round; nothing after the first and after a counter began
    /// anew. No series of errors where there are requests is no errors.
    fn counters(&mut self, value: impl Fn(&Question) -> Option<f64>) -> Option<Reading> {
        let both = [&self.canary, &self.stable].map(|[errors, requests]| {
            let requests = value(requests)?;
            Some([value(errors).unwrap_or(0.0), requests])
        });
        let now = match both {
            [Some(canary), Some(stable)] => [canary, stable],
            [None, _] => return Some(self.no_series("the canary")),
            [_, None] => return Some(self.no_series("stable")),
        };
        let before = self.before.replace(now)?;
        let [canary, stable] = [0, 1].map(|arm| {
            let [events, total] = [0, 1].map(|which| increase(before[arm][which], now[arm][which]));
            Some(Pair { events: events?, total: total? })
        });
        Some(Reading::Counters { canary: canary?, stable: stable? })
    }

    fn no_series(&self, whose: &str) -> Reading {
        let source = &self.spec.source;
        Reading::Missing { why: format!("{source} has no series {} of {whose}", self.spec.name) }
    }
}

/// What a counter grew by; none if it began anew or is no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the difference was just seen to be in range"
)]
fn increase(before: f64, now: f64) -> Option<u64> {
    let more = now - before;
    (0.0..9e15).contains(&more).then(|| more.round() as u64)
}
