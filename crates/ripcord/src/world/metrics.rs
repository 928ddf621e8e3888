//! Sources of metrics, asked on threads of their own: a source may be slow, and users' requests
//! are judged meanwhile.

use ripcord_core::model::EnvironmentName;
use ripcord_engine::{Answer, Failure, Metrics, Question};
use ripcord_integrations::{Names, Sources, fill};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// How many questions may be open; sources that never answer cannot pile up threads.
const OPEN_MAX: usize = 64;

/// The sources of one environment.
pub(crate) struct AskedSources {
    environment: EnvironmentName,
    shared: Arc<Shared>,
}

struct Shared {
    sources: Sources,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: BTreeSet<Question>,
    answers: Vec<Answer>,
}

impl AskedSources {
    pub(crate) fn new(environment: EnvironmentName, sources: Sources) -> AskedSources {
        let (began, state) = (Instant::now(), Mutex::default());
        AskedSources { environment, shared: Arc::new(Shared { sources, began, state }) }
    }

    fn names(&self, question: &Question) -> Names {
        Names {
            release: question.release.to_string(),
            environment: self.environment.to_string(),
            window: format!("{}s", question.window_ms.div_ceil(1_000)),
            stable: question.stable.to_string(),
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
        let (shared, names, question) =
            (Arc::clone(&self.shared), self.names(question), question.clone());
        thread::spawn(move || {
            let result = shared.read(&question, &names);
            let mut state = shared.state();
            state.open.remove(&question);
            state.answers.push(Answer { question, result });
        });
    }

    fn answers(&self) -> Vec<Answer> {
        std::mem::take(&mut self.shared.state().answers)
    }
}

impl Shared {
    fn read(&self, question: &Question, names: &Names) -> Result<Option<f64>, Failure> {
        let query = fill(&question.query, names).map_err(Failure::definite)?;
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.sources.read(&question.source, &query, now_ms).map_err(Failure::transient)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
