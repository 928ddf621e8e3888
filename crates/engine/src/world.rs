//! The traits through which the executor acts. Each has a real and a simulated implementation.
//!
//! All effects are idempotent: asking twice for the same is the same as asking once. All carry a
//! [`Ticket`] whose fence the receiver remembers durably before it acts.

use crate::failure::{Failure, Result};
use crate::ticket::Ticket;
use jiff::Timestamp;
use ripcord_core::analysis::{ArmCounts, Past};
use ripcord_core::flag::{FlagChange, FlagImage, LayerChange, ServiceFlag, ServiceWish};
use ripcord_core::model::environment::SchemaState;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::policy::{CheckSpec, ResourceSpec};
use ripcord_core::model::{
    Digest, EnvironmentName, Fence, Instances, ReleaseId, Split, TrafficState,
};
use ripcord_core::plan::ResourceState;
use ripcord_core::run::{Draft, Entry, Receipt};
use ripcord_core::schema::{Direction, MigrationScript, SchemaChange, SchemaPreview, Wanted};
use std::collections::BTreeMap;
use thiserror::Error;

/// The append-only store of everything that happened.
pub trait Ledger {
    /// Writes a fact and returns only when it would survive a power cut.
    ///
    /// # Errors
    ///
    /// When it cannot be written, the caller must not act; when a newer controller has taken
    /// over, it must stop for good.
    fn append(&self, draft: Draft) -> std::result::Result<Entry, LedgerError>;

    /// All entries of an environment with a sequence above `after`, in order. Entries about
    /// releases and the controller are not among them.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    fn entries(
        &self,
        environment: &EnvironmentName,
        after: u64,
    ) -> std::result::Result<Vec<Entry>, LedgerError>;

    /// The fence under which this controller writes.
    fn fence(&self) -> Fence;
}

impl<L: Ledger + ?Sized> Ledger for std::sync::Arc<L> {
    fn append(&self, draft: Draft) -> std::result::Result<Entry, LedgerError> {
        L::append(self, draft)
    }

    fn entries(
        &self,
        environment: &EnvironmentName,
        after: u64,
    ) -> std::result::Result<Vec<Entry>, LedgerError> {
        L::entries(self, environment, after)
    }

    fn fence(&self) -> Fence {
        L::fence(self)
    }
}

/// Why the ledger did not take or give an entry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// A newer controller writes now.
    #[error("a newer controller has taken over (fence {seen}, ours is {ours})")]
    Fenced {
        /// The newer fence.
        seen: u64,
        /// Ours.
        ours: u64,
    },
    /// No space is left.
    #[error("the disk of the ledger is full: {0}")]
    Full(String),
    /// Anything else that keeps it from being read or written.
    #[error("the ledger cannot be used: {0}")]
    Unusable(String),
    /// Its content is not what was written.
    #[error("the ledger is damaged at entry {sequence}: {why}")]
    Damaged {
        /// Where.
        sequence: u64,
        /// What is wrong.
        why: String,
    },
}

/// The target database of an environment.
pub trait Database {
    /// The catalogue and the applied migrations, as the database itself says.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn observe(&self) -> Result<SchemaState>;

    /// What running these migrations in this direction would do now; changes nothing.
    ///
    /// # Errors
    ///
    /// [`Failure::Definite`] with file, line and reason when they cannot run.
    fn preview(&self, direction: Direction, scripts: &[MigrationScript]) -> Result<SchemaPreview>;

    /// Ensures that a consistent copy of this name exists and has been read back.
    ///
    /// # Errors
    ///
    /// When it cannot be written or does not match.
    fn back_up(&self, name: &str, ticket: &Ticket<'_>) -> Result<Receipt>;

    /// Ensures that a change is made or unmade, exactly once whatever happens between.
    ///
    /// # Errors
    ///
    /// [`Failure::Definite`] when it cannot be; nothing has changed then.
    fn ensure(&self, change: &SchemaChange, wanted: Wanted, ticket: &Ticket<'_>)
    -> Result<Receipt>;

    /// Checks the database's integrity and every foreign key.
    ///
    /// # Errors
    ///
    /// [`Failure::Definite`] with what is broken.
    fn integrity(&self) -> Result<()>;

    /// A fingerprint of the content of each table of the user's.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn fingerprints(&self) -> Result<BTreeMap<String, Digest>>;
}

/// Where instances run.
pub trait Platform {
    /// The instances of every release of the environment that has any.
    ///
    /// # Errors
    ///
    /// When it cannot be known.
    fn observe(&self) -> Result<BTreeMap<ReleaseId, ReleaseState>>;

    /// How many instances of a release are ready now. Whoever is about to send it requests waits
    /// for this, so nobody else is asked where that can be avoided.
    ///
    /// # Errors
    ///
    /// When it cannot be known.
    fn ready(&self, release: &ReleaseId) -> Result<u32> {
        Ok(self.observe()?.get(release).map_or(0, |state| state.instances.ready))
    }

    /// Ensures that exactly `count` instances of a release run and are ready; 0 stops them
    /// gracefully. What already runs is adopted, never started twice. The deadline starts anew
    /// with each instance that becomes ready.
    ///
    /// # Errors
    ///
    /// [`Failure::Deadline`] when they do not become ready in time, [`Failure::Definite`] when
    /// they cannot start at all, both with the last lines of the log.
    fn ensure(&self, release: &ReleaseId, count: u32, ticket: &Ticket<'_>) -> Result<Receipt>;

    /// The instances of the roles beside the web, of each release that has any.
    ///
    /// # Errors
    ///
    /// When it cannot be known.
    fn roles(&self) -> Result<BTreeMap<ReleaseId, BTreeMap<String, Instances>>>;

    /// Ensures that exactly `count` instances of a role of a release run; 0 stops them gracefully.
    /// A role answers no requests, so one that has stayed up for a moment counts as ready.
    ///
    /// # Errors
    ///
    /// As [`Platform::ensure`].
    fn ensure_role(
        &self,
        release: &ReleaseId,
        role: &str,
        count: u32,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt>;
}

/// The instances of a release, with what speaks against them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReleaseState {
    /// How many are wanted and ready.
    pub instances: Instances,
    /// How often they had to be started again since they were first started.
    pub restarts: u32,
}

/// Who answers requests.
pub trait Traffic {
    /// What the proxy does now.
    ///
    /// # Errors
    ///
    /// When it cannot be reached.
    fn observe(&self) -> Result<TrafficState>;

    /// Ensures that the proxy does this, and returns when releases that lost their traffic, or
    /// all when requests are held, have no request in flight; at the latest after `drain_ms_max`,
    /// when what remains is cut off and counted in the receipt.
    ///
    /// # Errors
    ///
    /// [`Failure::Unknown`] when there was no answer.
    fn ensure(
        &self,
        state: &TrafficState,
        drain_ms_max: Millis,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt>;

    /// The requests that each release answered, as far back as the proxy remembers.
    ///
    /// # Errors
    ///
    /// When it cannot be reached.
    fn counts(&self) -> Result<BTreeMap<ReleaseId, Counts>>;

    /// The requests that were divided by chance, by the state that divided them.
    ///
    /// # Errors
    ///
    /// When it cannot be reached.
    fn periods(&self) -> Result<Periods>;

    /// What a release has answered up to now, and how much of it lately; none when nothing is
    /// known of it.
    ///
    /// # Errors
    ///
    /// When it cannot be reached.
    fn past(&self, release: &ReleaseId) -> Result<Option<Past>>;

    /// Says that somebody watches, so that the state in force holds for another lease.
    ///
    /// # Errors
    ///
    /// When it cannot be reached.
    fn renew(&self, ticket: &Ticket<'_>) -> Result<Renewal>;
}

/// Whether the state that somebody watches over was still in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// It holds for another lease, or needs none.
    Holds,
    /// The lease had ended, and the proxy went where it said.
    Lapsed,
}

/// The requests that were divided by chance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Periods {
    /// Changes when counting began anew at zero.
    pub epoch: u64,
    /// One for each state that divided requests, oldest first; only the latest are remembered.
    pub periods: Vec<Period>,
}

/// The requests that one state of the proxy divided by chance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Period {
    /// Which; never used twice in one epoch.
    pub number: u64,
    /// The chances.
    pub split: Split,
    /// What was counted of each release, since the period began.
    pub arms: BTreeMap<ReleaseId, Arm>,
}

/// What was counted of one release in one period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arm {
    /// Answers and failures; under stickiness the first of each user.
    pub counts: ArmCounts,
    /// How many requests in flight are older than the end of a bucket of latency: the bucket, and
    /// how many. Only some buckets are told of.
    pub overdue: Vec<(u16, u64)>,
    /// All answers, whoever they were for, so that the share that is asked for can be compared.
    pub requests_all: u64,
}

/// Requests answered by a release, counted by the first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Changes when counting began anew at zero.
    pub epoch: u64,
    /// Requests that were answered or failed.
    pub requests: u64,
    /// Of these: answers of 500 and above, no connection, no answer in time.
    pub errors: u64,
}

/// The configuration in force.
pub trait Config {
    /// Whose configuration is in force, checked to the byte.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is nobody's.
    fn observe(&self) -> Result<Option<ReleaseId>>;

    /// Ensures that the configuration of this release is in force.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn ensure(&self, release: Option<&ReleaseId>, ticket: &Ticket<'_>) -> Result<Receipt>;
}

/// The feature flags in force.
pub trait Flags {
    /// The digest of the document in force.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn observe(&self) -> Result<Option<Digest>>;

    /// Ensures that the document of this digest is in force.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or there is no such document.
    fn ensure(&self, document: Option<&Digest>, ticket: &Ticket<'_>) -> Result<Receipt>;

    /// Ensures that a step's change is made, once however often it is asked for: as a revision in
    /// the ledger, and then in what is served. What somebody changed otherwise stays.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or a document is missing.
    fn change(&self, change: &FlagChange, ticket: &Ticket<'_>) -> Result<Receipt>;

    /// Ensures that the flags of a release are off, or no longer, as [`Flags::change`] does.
    ///
    /// # Errors
    ///
    /// As [`Flags::change`].
    fn layer(&self, change: &LayerChange, ticket: &Ticket<'_>) -> Result<Receipt>;

    /// Waits until clients have heard of what is in force, for so long at most, and says how many
    /// have. That some have not is no failure: nobody could then ever go back.
    ///
    /// # Errors
    ///
    /// [`Failure::Interrupted`] when somebody asks to stop.
    fn confirm(&self, wait_ms_max: Millis, ticket: &Ticket<'_>) -> Result<Receipt>;

    /// Whether what is served is what the ledger says.
    ///
    /// # Errors
    ///
    /// When it is not, or it cannot be known.
    fn agree(&self) -> Result<()>;
}

/// Flags at other people's services. Each call asks once and never overwrites what is not as it
/// was said to be, as far as the service can promise that.
pub trait FlagServices {
    /// A flag as it is now.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn read(&self, flag: &ServiceFlag, ticket: &Ticket<'_>) -> Result<FlagImage>;

    /// Makes a flag as is wished, if it is still as it was read. Gives it as it is then.
    ///
    /// # Errors
    ///
    /// [`Failure::NeedsPerson`] when it needs somebody's approval there, [`Failure::Later`] when
    /// the service has had enough, [`Failure::Unknown`] when there was no answer.
    fn write(
        &self,
        flag: &ServiceFlag,
        now: &FlagImage,
        wish: &ServiceWish,
        reason: &str,
        ticket: &Ticket<'_>,
    ) -> Result<FlagImage>;
}

/// A user's own infrastructure.
pub trait Resources {
    /// Ensures by the user's command that a resource is applied or reverted for a release.
    ///
    /// # Errors
    ///
    /// [`Failure::Definite`] with the last lines of its output when the command fails.
    fn ensure(
        &self,
        resource: &ResourceSpec,
        release: &ReleaseId,
        state: ResourceState,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt>;
}

/// The user's own checks.
pub trait Checks {
    /// Runs a check against the preview of a release.
    ///
    /// # Errors
    ///
    /// [`Failure::Definite`] when it fails.
    fn run(&self, check: &CheckSpec, release: &ReleaseId, ticket: &Ticket<'_>) -> Result<()>;
}

/// Sources of metrics beside the proxy. Asking and hearing are apart, since a source may be slow
/// and the requests of users are judged meanwhile.
pub trait Metrics {
    /// Asks a source, unless the same question is still open. Returns at once.
    fn ask(&self, question: &Question);

    /// The answers that have come since the last call, in any order.
    fn answers(&self) -> Vec<Answer>;

    /// Asks a source what it remembers of an answer, unless that is still open. Returns at once.
    fn recall(&self, question: &Question);

    /// What sources remember, as far as it has come since the last call, in any order.
    fn memories(&self) -> Vec<Memory>;
}

/// What a source remembers of the answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// To which.
    pub question: Question,
    /// The numbers, oldest first, as far apart as the question's window; none when this source
    /// remembers nothing at all.
    pub values: Result<Option<Vec<f64>>>,
}

/// A question to a source of metrics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The source, as the configuration names it.
    pub source: String,
    /// The query, with placeholders.
    pub query: String,
    /// The release that `{release}` in it stands for.
    pub release: ReleaseId,
    /// The release that `{stable}` in it stands for.
    pub stable: ReleaseId,
    /// The time that `{window}` in it stands for.
    pub window_ms: Millis,
}

/// What a source said.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// To what.
    pub question: Question,
    /// The number; none when the source has no such series.
    pub result: Result<Option<f64>>,
}

/// Time. `now` is for people and decides nothing; waits are measured by `monotonic_ms`.
pub trait Clock {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Milliseconds since some fixed moment, never going back.
    fn monotonic_ms(&self) -> Millis;
    /// Waits.
    fn sleep(&self, ms: Millis);
}

/// Everything an executor acts on.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// None when the service has no database.
    pub database: Option<&'a dyn Database>,
    /// Where instances run.
    pub platform: &'a dyn Platform,
    /// Who answers requests.
    pub traffic: &'a dyn Traffic,
    /// The configuration in force.
    pub config: &'a dyn Config,
    /// The flags in force.
    pub flags: &'a dyn Flags,
    /// Flags at other people's services.
    pub services: &'a dyn FlagServices,
    /// The user's infrastructure.
    pub resources: &'a dyn Resources,
    /// The user's checks.
    pub checks: &'a dyn Checks,
    /// Sources of metrics.
    pub metrics: &'a dyn Metrics,
    /// Time.
    pub clock: &'a dyn Clock,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl<'a> World<'a> {
    /// The database.
    ///
    /// # Errors
    ///
    /// [`Failure::Definite`] when the service has none, which a sound plan never asks for.
    pub fn database(&self) -> Result<&'a dyn Database> {
        self.database.ok_or_else(|| Failure::definite("the service has no database"))
    }
}
