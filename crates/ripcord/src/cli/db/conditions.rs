//! On which conditions migrations run or are taken back, as options of the command line.

use crate::failure::{Code, Failure};
use ripcord_core::schema::{Mode, SchemaForecast};
use ripcord_databases::postgres::{Outcome, Terms};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// How long, how often, how much.
#[derive(Debug, clap::Args)]
pub(super) struct Conditions {
    /// How long a statement waits for a lock, and users behind it, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    lock_timeout: u64,
    /// How long a statement may run, copying included, in milliseconds; 0 is without end
    #[arg(long, value_name = "MS", default_value_t = 0)]
    statement_budget: u64,
    /// How often a migration is begun when others are in the way
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    attempts: u32,
    /// The most that may be copied aside, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4_096)]
    copy_max: u64,
    /// The largest table that is written anew for the order of its columns, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1_024)]
    rebuild_max: u64,
    /// Refuse whatever goes beyond this plan: the output of `ripcord db plan --json`, in a file, or -
    /// for the standard input. Counted again under the lock
    #[arg(long, value_name = "PLAN")]
    accept: Option<PathBuf>,
}

/// A plan as far as it limits a run.
#[derive(Deserialize)]
struct Accepted {
    forecast: SchemaForecast,
    #[serde(default)]
    conflicts: Vec<Stand>,
}

#[derive(Deserialize)]
struct Stand {
    count: u64,
}

/// What becomes of what a migration destroys.
#[derive(Debug, clap::Args)]
pub(super) struct Modes {
    /// What becomes of what a migration destroys, where an annotation does not say otherwise
    #[arg(long, value_enum, default_value_t = Wanted::Drop)]
    mode: Wanted,
    /// With --mode auto, what is larger than this is hidden and not copied, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1_024)]
    hide_above: u64,
    /// With --mode destroy, why; it is recorded
    #[arg(long, value_name = "TEXT", required_if_eq("mode", "destroy"))]
    why: Option<String>,
}

/// The modes by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wanted {
    /// It is copied aside, then the statement runs as written
    Drop,
    /// Dropped tables and columns are renamed and moved aside, in constant time
    Hide,
    /// As drop, but what is larger than --hide-above is hidden
    Auto,
    /// What removes something waits until `ripcord db finish`
    Defer,
    /// It is destroyed, and nothing is kept
    Destroy,
}

impl Modes {
    /// The terms of a run in this mode.
    pub(super) fn terms(&self, conditions: &Conditions) -> Result<Terms, Failure> {
        let mode = match self.mode {
            Wanted::Drop | Wanted::Auto => Mode::Drop,
            Wanted::Hide => Mode::Hide,
            Wanted::Defer => Mode::Defer,
            Wanted::Destroy => Mode::Destroy,
        };
        let above = self.hide_above.saturating_mul(1 << 20);
        let hide_above_bytes = (self.mode == Wanted::Auto).then_some(above);
        let reason = self.why.clone().unwrap_or_default();
        Ok(Terms { mode, hide_above_bytes, reason, ..conditions.terms()? })
    }
}

impl Conditions {
    /// The terms of a run.
    pub(super) fn terms(&self) -> Result<Terms, Failure> {
        let accepted = self.accept.as_deref().map(read).transpose()?;
        let conflicts = |plan: &Accepted| plan.conflicts.iter().map(|one| one.count).sum();
        Ok(Terms {
            lock_timeout_ms: self.lock_timeout,
            statement_budget_ms: self.statement_budget,
            attempts_max: self.attempts,
            copy_bytes_max: self.copy_max.saturating_mul(1 << 20),
            rebuild_bytes_max: self.rebuild_max.saturating_mul(1 << 20),
            conflicts_max: accepted.as_ref().map(conflicts),
            accept: accepted.map(|plan| plan.forecast),
            ..Terms::default()
        })
    }
}

/// What one migration took of what was accepted for all of them is no more to be had.
pub(super) fn spend(terms: &mut Terms, outcome: &Outcome) {
    if let Some(accept) = &mut terms.accept {
        let lists = [(&mut accept.hidden, &outcome.hidden), (&mut accept.gone, &outcome.gone)];
        for (accepted, found) in lists {
            for one in accepted {
                let same = found.iter().find(|it| it.what == one.what && it.unit == one.unit);
                one.count = one.count.saturating_sub(same.map_or(0, |it| it.count));
            }
        }
    }
    let conflicts = outcome.conflicts.iter().map(|one| one.count).sum();
    terms.conflicts_max = terms.conflicts_max.map(|max| max.saturating_sub(conflicts));
}

fn read(path: &Path) -> Result<Accepted, Failure> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let place = path.display();
    let text = text.map_err(|error| {
        Failure::new(Code::Usage, format!("cannot read the plan {place}: {error}"))
    })?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::new(Code::Usage, format!("{place} is not a plan: {error}"))
            .hint("`ripcord db plan up --json` or `plan down --json` writes one")
    })
}
