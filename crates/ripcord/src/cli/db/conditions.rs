//! On which conditions migrations run or are taken back, as options of the command line.

use ripcord_core::schema::Mode;
use ripcord_databases::postgres::Terms;

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
}

impl Conditions {
    /// The terms of a run.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            mode: Mode::Drop,
            lock_timeout_ms: self.lock_timeout,
            statement_budget_ms: self.statement_budget,
            attempts_max: self.attempts,
            copy_bytes_max: self.copy_max.saturating_mul(1 << 20),
            rebuild_bytes_max: self.rebuild_max.saturating_mul(1 << 20),
            accept: None,
        }
    }
}
