//! Sources of metrics, asked on threads of their own: a source may be slow, and users' requests
//! are judged meanwhile.

use ripcord_core::analysis::{MetricKind, MetricSpec};
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{EnvironmentName, ReleaseId};
use ripcord_engine::{Answer, Failure, Memory, Metrics, Question};
use ripcord_integrations::{Names, Past, SourceError, Sources, fill};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::Instant;

/// How many questions may be open; sources that never answer cannot pile up threads.
const OPEN_MAX: usize = 64;

/// How many values of the past are asked for: more than a day at the usual rhythm, and fewer than
/// a server gives at once.
const REMEMBERED: u64 = 8_000;

/// The sources of one environment.
pub(crate) struct AskedSources {
    environment: EnvironmentName,
    sources: RwLock<Arc<Sources>>,
    shared: Arc<Shared>,
}

struct Shared {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: BTreeSet<Question>,
    answers: Vec<Answer>,
    recalling: BTreeSet<Question>,
    memories: Vec<Memory>,
}

impl AskedSources {
    pub(crate) fn new(environment: EnvironmentName) -> AskedSources {
        let (began, state) = (Instant::now(), Mutex::default());
        let shared = Arc::new(Shared { began, state });
        AskedSources { environment, sources: RwLock::default(), shared }
    }

    /// From now on these are the sources.
    pub(crate) fn set(&self, sources: Sources) {
        *self.sources.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sources);
    }

    /// Asks all metrics once for a release that serves, while a person can still mend a query: a
    /// misspelt metric must not look like one without errors later.
    ///
    /// # Errors
    ///
    /// The name of the metric, and what is wrong with it.
    pub(crate) fn try_out(&self, specs: &[MetricSpec], live: &ReleaseId) -> Result<(), String> {
        for spec in specs {
            let (must, may) = match &spec.kind {
                MetricKind::Counters { errors, requests } => (requests, Some(errors)),
                MetricKind::Gauge { value, .. } => (value, None),
            };
            let said = |error: SourceError| format!("{}: {error}", spec.name);
            self.try_query(spec, must, live).map_err(said)?;
            match may.map(|query| self.try_query(spec, query, live)) {
                // A counter of errors begins with the first of them.
                None | Some(Ok(()) | Err(SourceError::NoData { .. })) => {}
                Some(Err(error)) => return Err(said(error)),
            }
        }
        Ok(())
    }

    fn try_query(
        &self,
        spec: &MetricSpec,
        query: &str,
        live: &ReleaseId,
    ) -> Result<(), SourceError> {
        let query = fill(query, &self.names(live, live, spec.every_ms))?;
        self.sources().try_out(&spec.source, &query, self.shared.now_ms()).map(drop)
    }

    fn sources(&self) -> Arc<Sources> {
        Arc::clone(&self.sources.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn names(&self, release: &ReleaseId, stable: &ReleaseId, window_ms: Millis) -> Names {
        Names {
            release: release.to_string(),
            environment: self.environment.to_string(),
            window: format!("{}s", window_ms.div_ceil(1_000)),
            stable: stable.to_string(),
        }
    }
}

impl Metrics for AskedSources {
    fn ask(&self, question: &Question) {
        let mut state = self.shared.state();
        if state.open.len() >= OPEN_MAX || !state.open.insert(question.clone()) {
            return;
        }
        drop(state);
        let names = self.names(&question.release, &question.stable, question.window_ms);
        let (shared, sources, question) =
            (Arc::clone(&self.shared), self.sources(), question.clone());
        thread::spawn(move || {
            let result = read(&sources, &question, &names, shared.now_ms());
            let mut state = shared.state();
            state.open.remove(&question);
            state.answers.push(Answer { question, result });
        });
    }

    fn answers(&self) -> Vec<Answer> {
        std::mem::take(&mut self.shared.state().answers)
    }

    fn recall(&self, question: &Question) {
        let mut state = self.shared.state();
        let full = state.recalling.len() >= OPEN_MAX;
        if full || !state.recalling.insert(question.clone()) {
            return;
        }
        drop(state);
        let names = self.names(&question.release, &question.stable, question.window_ms);
        let (shared, sources, question) =
            (Arc::clone(&self.shared), self.sources(), question.clone());
        thread::spawn(move || {
            let values = remembered(&sources, &question, &names, shared.now_ms());
            let mut state = shared.state();
            state.recalling.remove(&question);
            state.memories.push(Memory { question, values });
        });
    }

    fn memories(&self) -> Vec<Memory> {
        std::mem::take(&mut self.shared.state().memories)
    }
}

fn read(
    sources: &Sources,
    question: &Question,
    names: &Names,
    now_ms: u64,
) -> Result<Option<f64>, Failure> {
    let query = fill(&question.query, names).map_err(Failure::definite)?;
    sources.read(&question.source, &query, now_ms).map_err(Failure::transient)
}

fn remembered(
    sources: &Sources,
    question: &Question,
    names: &Names,
    now_ms: u64,
) -> Result<Option<Vec<f64>>, Failure> {
    let query = fill(&question.query, names).map_err(Failure::definite)?;
    // A clock before 1970 asks for times of which nothing is known.
    let end_s = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    let step_s = question.window_ms.div_ceil(1_000).max(1);
    let past = Past { end_s, step_s, count: REMEMBERED };
    sources.history(&question.source, &query, now_ms, past).map_err(Failure::transient)
}

impl Shared {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
