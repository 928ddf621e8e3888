//! What the judge says at one look: for the engine, for people, and for the journal.

use super::interval::Interval;
use super::outage::SharedOutage;
use super::promotion::Need;
use super::tick::Pair;
use super::verdict::Verdict;
use serde::Serialize;

/// What is known at one look.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assessment {
    /// What follows from it.
    pub verdict: Verdict,
    /// The evidence against the canary over all metrics; 1 is none.
    pub evidence: f64,
    /// At how much of it the canary goes.
    pub enough: f64,
    /// The metrics one by one.
    pub metrics: Vec<MetricEvidence>,
    /// How many times as often the canary fails as stable does; none when nothing has failed.
    pub lift: Option<Interval>,
    /// What was counted.
    pub counts: Counts,
    /// Whether the canary was shown to be good enough to proceed for good.
    pub promotable: bool,
    /// Whether it must not get more traffic now, though nothing is proven.
    pub suspect: bool,
    /// What both releases suffer from, for which neither can be blamed by comparing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outage: Option<SharedOutage>,
    /// What is needed before it is promotable, if it is as good as stable; none when it is, or
    /// when no amount of the present traffic is enough.
    pub need: Option<Need>,
    /// The whole in a sentence or two.
    pub words: String,
}

/// What one metric says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricEvidence {
    /// Its name.
    pub name: String,
    /// What it amounts to.
    pub state: MetricState,
    /// The evidence against the canary; 1 is none.
    pub evidence: f64,
    /// How far the promise about false alarms holds for it.
    pub bound: Bound,
    /// The same for people.
    pub words: String,
}

/// How far the promise holds for a metric that a release that is no worse is hardly ever taken
/// back for it, however often one looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// To the letter: each request was given to a release by a chance that is known.
    Exact,
    /// As long as the counters of both releases in one reading are of the same requests' time:
    /// the chances are those that the reading itself shows.
    Readings,
    /// About so: it rests on now being like the past.
    Approximate,
    /// It needs none, since nothing follows from the metric.
    Advice,
}

impl Bound {
    /// The same as a word.
    pub fn name(self) -> &'static str {
        match self {
            Bound::Exact => "exact",
            Bound::Readings => "by reading",
            Bound::Approximate => "approximate",
            Bound::Advice => "advice",
        }
    }
}

/// What a metric amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricState {
    /// Nothing speaks against the canary.
    Ok,
    /// Something does.
    Suspect,
    /// Enough does.
    Bad,
    /// It knows nothing, which is neither good nor bad.
    Blind,
}

/// What was counted of both releases: events are errors, the total is requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Of the canary.
    pub canary: Pair,
    /// Of stable.
    pub stable: Pair,
}

impl Assessment {
    /// Nothing can be said, since what was seen is not to be trusted.
    pub fn undecided(because: &str) -> Assessment {
        Assessment {
            verdict: Verdict::Undecided { because: because.to_owned() },
            evidence: 1.0,
            enough: f64::MAX,
            metrics: Vec::new(),
            lift: None,
            counts: Counts::default(),
            promotable: false,
            suspect: true,
            outage: None,
            need: None,
            words: because.to_owned(),
        }
    }

    /// What was seen, in a sentence or two.
    pub fn summary(&self) -> String {
        self.words.clone()
    }

    /// What is lacking before the canary can proceed.
    pub fn lacking(&self) -> String {
        match &self.verdict {
            Verdict::Continue => "nothing".to_owned(),
            Verdict::Wait { need } => need.clone(),
            Verdict::GoBack { because } | Verdict::Undecided { because } => because.clone(),
        }
    }
}
