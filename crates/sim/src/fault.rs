//! What can go wrong, and when it does: by number, so that every moment can be tried, or by
//! chance, so that combinations nobody thought of are.

use crate::prng::Prng;
use crate::state::StepKind;
use std::collections::BTreeMap;
use std::fmt;

/// Something that happens to a run at one of its moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The controller is killed.
    Kill,
    /// The controller's machine loses power: what was not synced is gone.
    PowerCut,
    /// The controller freezes, a successor takes over, and then it wakes.
    Freeze,
    /// The proxy is killed and starts again.
    ProxyCrash,
    /// A process of the release in service is killed.
    InstanceDies,
    /// All instances of releases that get no requests are gone for good.
    IdleGone,
    /// The disk of the ledger is full.
    DiskFull,
    /// A person turns a flag off.
    FlagOff,
    /// A person turns a flag off, and the controller dies before it does anything else.
    FlagOffAndKill,
    /// A person changes flags at the service where they are.
    Meddle,
    /// A person aborts.
    Abort,
    /// A person aborts twice in a row.
    AbortTwice,
    /// A person pauses.
    Pause,
    /// A person promotes.
    Promote,
    /// A person retries, whether or not there is anything to retry.
    Retry,
    /// A person asks for another deploy.
    Deploy,
    /// The controller says nothing for longer than any lease, and then goes on.
    Silence,
    /// The receiver of an effect says no.
    Definite,
    /// The receiver of an effect is busy.
    Transient,
    /// The effect happens, the answer is lost.
    LostAck,
    /// The request for the effect is lost, and nobody can tell.
    LostRequest,
    /// A transaction commits later than its client waits; elsewhere the request is lost.
    Late,
    /// The effect is delivered twice.
    Twice,
}

impl Fault {
    /// Those that can strike at every moment.
    pub const ANYTIME: [Fault; 16] = [
        Fault::Kill,
        Fault::PowerCut,
        Fault::Freeze,
        Fault::ProxyCrash,
        Fault::InstanceDies,
        Fault::IdleGone,
        Fault::DiskFull,
        Fault::FlagOff,
        Fault::FlagOffAndKill,
        Fault::Abort,
        Fault::AbortTwice,
        Fault::Pause,
        Fault::Promote,
        Fault::Retry,
        Fault::Deploy,
        Fault::Silence,
    ];

    /// Those that strike an effect on its way to its receiver or back.
    pub const IN_CALLS: [Fault; 6] = [
        Fault::Definite,
        Fault::Transient,
        Fault::LostAck,
        Fault::LostRequest,
        Fault::Late,
        Fault::Twice,
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// When which fault strikes.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// At the action of this number, counted from 1.
    pub actions: BTreeMap<u64, Fault>,
    /// At the effect of this number, counted from 1.
    pub calls: BTreeMap<u64, Fault>,
    /// By chance, in addition.
    pub chance: Option<Chance>,
}

/// Faults by chance.
#[derive(Debug, Clone)]
pub struct Chance {
    /// Its source.
    pub prng: Prng,
    /// How many more may strike, so that every run ends.
    pub left: u32,
    /// How likely one strikes at each moment, in thousandths.
    pub per_mille: u64,
    /// A fault that is to strike this kind of step before anything else does.
    pub aim: Option<(StepKind, Fault)>,
}

impl Schedule {
    /// Faults at actions of these numbers.
    pub fn at(actions: &[(u64, Fault)]) -> Schedule {
        Schedule { actions: actions.iter().copied().collect(), ..Schedule::default() }
    }

    /// A fault at the effect of this number.
    pub fn in_call(call: u64, fault: Fault) -> Schedule {
        Schedule { calls: BTreeMap::from([(call, fault)]), ..Schedule::default() }
    }

    /// Up to `faults` faults by chance.
    pub fn by_chance(seed: u64, faults: u32, per_mille: u64) -> Schedule {
        let chance = Chance { prng: Prng::new(seed), left: faults, per_mille, aim: None };
        Schedule { chance: Some(chance), ..Schedule::default() }
    }

    /// The same, with one fault aimed at a kind of step.
    #[must_use]
    pub fn aimed(mut self, aim: Option<(StepKind, Fault)>) -> Schedule {
        if let Some(chance) = &mut self.chance {
            chance.aim = aim;
        }
        self
    }

    pub(crate) fn strikes_action(&mut self, number: u64, kind: StepKind) -> Option<Fault> {
        self.actions.remove(&number).or_else(|| self.roll(&Fault::ANYTIME, kind))
    }

    pub(crate) fn strikes_call(&mut self, number: u64, kind: StepKind) -> Option<Fault> {
        self.calls.remove(&number).or_else(|| self.roll(&Fault::IN_CALLS, kind))
    }

    fn roll(&mut self, faults: &[Fault], kind: StepKind) -> Option<Fault> {
        let chance = self.chance.as_mut().filter(|chance| chance.left > 0)?;
        if let Some((step, fault)) = chance.aim {
            // Every second chance is passed by, so that it strikes all actions of the step.
            if step == kind && faults.contains(&fault) && chance.prng.below(2) == 0 {
                chance.left -= 1;
                chance.aim = None;
                return Some(fault);
            }
        }
        if chance.prng.below(1_000) >= chance.per_mille {
            return None;
        }
        chance.left -= 1;
        chance.prng.one_of(faults)
    }
}

/// The protections of the system. Each can be switched off, to see that the checker misses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// The marker of a schema change commits together with the change.
    MarkerInTransaction,
    /// Receivers and the ledger refuse a controller that was replaced.
    FenceChecked,
    /// Processes are looked for before they are started.
    Adoption,
    /// An entry of the ledger is synced before it is acknowledged.
    LedgerSynced,
    /// An undo in doubt writes a tombstone.
    Tombstone,
    /// `Started` is durable before the effect begins.
    IntentFirst,
    /// The proxy persists what it is told.
    ProxyPersists,
    /// Requests in flight end before the release that answers them loses its ground.
    Drain,
    /// What a migration destroys is set aside.
    Keep,
    /// A division of traffic ends when nobody has watched it for as long as its lease.
    LeaseLapses,
    /// Whoever watches says so to the proxy.
    Renewal,
    /// Instances beyond the limits get no requests, and end those in flight before they stop.
    Limits,
    /// Traffic goes back all at once.
    BackAtOnce,
    /// A step that is repeated changes flags once.
    FlagsOnce,
    /// What somebody changed stays when flags change with a release.
    FlagsMerged,
    /// What is served follows the ledger, also when it was written just before a crash.
    FlagsFollow,
    /// A flag at a service changes only if it is as it was read.
    ServicePrecondition,
}

impl Protection {
    /// All of them.
    pub const ALL: [Protection; 17] = [
        Protection::MarkerInTransaction,
        Protection::FenceChecked,
        Protection::Adoption,
        Protection::LedgerSynced,
        Protection::Tombstone,
        Protection::IntentFirst,
        Protection::ProxyPersists,
        Protection::Drain,
        Protection::Keep,
        Protection::LeaseLapses,
        Protection::Renewal,
        Protection::Limits,
        Protection::BackAtOnce,
        Protection::FlagsOnce,
        Protection::FlagsMerged,
        Protection::FlagsFollow,
        Protection::ServicePrecondition,
    ];
}
