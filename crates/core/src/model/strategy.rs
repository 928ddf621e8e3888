//! How a release takes over: all at once, share by share, or instance by instance.

use crate::model::ids::Millis;
use crate::model::traffic::{Match, Share, StickyKey};
use serde::{Deserialize, Serialize};

/// How a release takes over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// It starts beside the old one and gets all requests at once.
    #[default]
    BlueGreen,
    /// It gets a growing share of the requests, and is compared with the old one meanwhile.
    Canary(Canary),
    /// Its instances replace those of the old one a few at a time.
    Rolling(Rolling),
}

/// A canary, step by step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// What is done, in order; after the last step the canary gets everything.
    pub steps: Vec<CanaryStep>,
    /// How users keep their release; none: every request is drawn anew.
    pub sticky: Option<StickyKey>,
    /// How long a share holds without a word from the controller; then stable gets everything.
    pub lease_ms: Millis,
}

/// One step of a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryStep {
    /// The canary gets this share.
    SetWeight(Share),
    /// Nothing changes for this long, or, without a time, until a person promotes. The judge
    /// watches meanwhile.
    Pause(Option<Millis>),
    /// The judge watches until it has shown that the release is no worse; when that takes longer
    /// than this, a person is asked.
    Analysis(Millis),
    /// Requests that match go to the canary; none: no longer.
    SetHeaderRoute(Option<Match>),
}

/// A rolling update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rolling {
    /// How many instances are exchanged at a time.
    pub batch: u32,
    /// How long the judge watches after each exchange.
    pub pause_ms: Millis,
    /// How long the split holds without a word from the controller; then the old release gets
    /// everything that it can serve.
    pub lease_ms: Millis,
}
