//! The price of a plan, stated before the act and held against the outcome afterwards.

use crate::flag::FlagForecast;
use crate::model::ids::Millis;
use crate::schema::{Counted, SchemaForecast};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a plan keeps, hides and destroys, how long it takes and what users notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// Set aside; comes back when the plan is taken back.
    pub kept: Vec<Counted>,
    /// Out of sight while the older release serves; comes back with the newer one.
    pub hidden: Vec<Counted>,
    /// Destroyed for good.
    pub gone: Vec<Counted>,
    /// What happens to feature flags.
    #[serde(default, skip_serializing_if = "FlagForecast::is_empty")]
    pub flags: FlagForecast,
    /// What no rollback returns: mails sent, jobs enqueued, messages published.
    pub does_not_come_back: Vec<String>,
    /// What comes back otherwise than it was, by name.
    pub caveats: Vec<String>,
    /// How long the plan takes without its bake, estimated.
    pub takes_ms: Millis,
    /// The longest that a request may wait because of it, estimated.
    pub notice_ms_max: Millis,
    /// When the counts were taken; they are estimates from then on.
    pub counted_at: Timestamp,
}

impl Forecast {
    /// The forecast of a plan that changes no schema.
    pub fn without_schema(counted_at: Timestamp) -> Forecast {
        Forecast {
            kept: Vec::new(),
            hidden: Vec::new(),
            gone: Vec::new(),
            flags: FlagForecast::default(),
            does_not_come_back: Vec::new(),
            caveats: Vec::new(),
            takes_ms: 0,
            notice_ms_max: 0,
            counted_at,
        }
    }

    /// Takes over what a change of schema costs.
    pub fn add_schema(&mut self, schema: &SchemaForecast) {
        self.kept.extend(schema.kept.iter().cloned());
        self.hidden.extend(schema.hidden.iter().cloned());
        self.gone.extend(schema.gone.iter().cloned());
        self.caveats.extend(schema.caveats.iter().cloned());
        self.takes_ms += schema.takes_ms;
    }

    /// How many rows and values are destroyed for good.
    pub fn gone_count(&self) -> u64 {
        self.gone.iter().map(|gone| gone.count).sum()
    }
}
