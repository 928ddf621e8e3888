//! Recorded requests before the judge, one after the other. It looks after every one; the first
//! time that the release had to go decides, and what comes later is only counted.

use crate::cli::judge::blocks::{Block, Found};
use crate::cli::judge::request::{Arm, Request};
use crate::cli::judge::trace::Trace;
use crate::cli::judge::users::Users;
use ripcord_core::analysis::{
    ArmCounts, Assessment, BUCKETS, Judge, JudgePolicy, Pair, Reference, Tick,
};
use ripcord_core::model::ids::Millis;
use ripcord_core::model::traffic::WHOLE;
use ripcord_core::model::{ReleaseId, Share};
use std::collections::BTreeMap;

/// How many answers of stable make a yardstick of latency.
const ANSWERS_MIN: u64 = 200;

/// How many routes are told apart; the others are one.
const ROUTES_MAX: usize = 20;

/// Requests of both releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Both {
    pub(super) canary: Pair,
    pub(super) stable: Pair,
}

/// What was counted, whether it decided or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    pub(super) all: Both,
    pub(super) routes: BTreeMap<String, Both>,
    /// Requests with a chance of 0 or 1, which compare nothing.
    pub(super) uncompared: u64,
    /// Requests that came a little late and were counted with those before them.
    pub(super) late: u64,
    /// Compared requests that name a user, and those that name none.
    pub(super) of_users: u64,
    pub(super) alone: u64,
    pub(super) lines: u64,
}

/// Where in the record something became so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) t: f64,
}

/// One request as the judge hears it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) place: Place,
    pub(super) at_ms: Millis,
    weight: Share,
    arm: Arm,
    failed: bool,
    bucket: Option<u16>,
}

/// Recorded requests before the judge.
pub(super) struct Stream {
    judge: Judge,
    policy: JudgePolicy,
    /// Stable's latency before the canary got anything.
    usual: Box<[u64; BUCKETS]>,
    began: Option<f64>,
    newest: f64,
    at_ms: Millis,
    /// When the canary got its first request, how many it got, and how many stable answered since.
    canary_ms: Option<Millis>,
    canary: u64,
    answered: u64,
    tick: Tick,
    /// Whether all is to be said, not only whether the release had to go.
    tells: bool,
    block: Block,
    pub(super) users: Users,
    pub(super) totals: Totals,
    pub(super) trace: Trace,
    /// What was said when the release had to go, and where.
    pub(super) decided: Option<(Place, Assessment)>,
    /// Where it was good enough first.
    pub(super) promotable: Option<Place>,
}

/// A request that is older than those before it by more than is forgiven.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TooLate {
    pub(super) by: f64,
}

impl Stream {
    /// Nothing was heard; `tells` says whether more is asked for than whether the release had to
    /// go.
    pub(super) fn new(policy: &JudgePolicy, tells: bool) -> Stream {
        let (canary, stable) = (ReleaseId::from("canary"), ReleaseId::from("stable"));
        let judge = Judge::new(policy, &canary, &stable);
        Stream {
            tells,
            block: Block::new(&judge),
            judge,
            policy: policy.clone(),
            usual: Box::new([0; BUCKETS]),
            began: None,
            newest: 0.0,
            at_ms: 0,
            canary_ms: None,
            canary: 0,
            answered: 0,
            tick: Tick::default(),
            users: Users::default(),
            totals: Totals::default(),
            trace: Trace::default(),
            decided: None,
            promotable: None,
        }
    }

    /// Takes a request in. One that is older than the newest by up to `reorder` seconds counts as
    /// if it had come with it: the order of requests changes nothing in the evidence.
    pub(super) fn take(
        &mut self,
        line: u64,
        request: &Request<'_>,
        reorder: f64,
    ) -> Result<(), TooLate> {
        let by = self.newest - request.t;
        if self.began.is_some() && by > reorder {
            return Err(TooLate { by });
        }
        self.totals.late += u64::from(self.began.is_some() && by > 0.0);
        self.newest = self.newest.max(request.t);
        let began = *self.began.get_or_insert(request.t);
        self.at_ms = milliseconds(self.newest - began);
        self.count(request);
        if request.weight == 0 || request.weight == WHOLE {
            self.totals.uncompared += 1;
            if let Some(bucket) = request.bucket.filter(|_| self.canary_ms.is_none())
                && request.weight == 0
                && let Some(sum) = self.usual.get_mut(usize::from(bucket))
            {
                *sum += 1;
            }
            return Ok(());
        }
        let (mut is_heard, mut failed) = (true, request.failed);
        if let Some(user) = request.user {
            self.totals.of_users += 1;
            let hearing = self.users.hear(user, request.weight, request.failed);
            (is_heard, failed) = (hearing.request, hearing.failure);
        } else {
            self.totals.alone += 1;
        }
        if self.decided.is_some() || !(is_heard || failed) {
            return Ok(());
        }
        self.hear(Heard {
            place: Place { line, t: request.t },
            at_ms: self.at_ms,
            weight: request.weight,
            arm: request.arm,
            failed,
            bucket: request.bucket.filter(|_| is_heard),
        });
        Ok(())
    }

    fn count(&mut self, request: &Request<'_>) {
        self.totals.lines += 1;
        self.totals.all.add(request);
        let Some(route) = &request.route else { return };
        if let Some(both) = self.totals.routes.get_mut(route.as_ref()) {
            both.add(request);
        } else {
            let full = self.totals.routes.len() >= ROUTES_MAX;
            let name = if full { "(others)" } else { route };
            self.totals.routes.entry(name.to_owned()).or_default().add(request);
        }
    }

    fn hear(&mut self, heard: Heard) {
        self.refer();
        match heard.arm {
            Arm::Canary => {
                self.canary_ms.get_or_insert(heard.at_ms);
                self.canary += 1;
            }
            Arm::Stable => self.answered += u64::from(heard.bucket.is_some()),
        }
        heard.fill(&mut self.tick);
        // The chance and the time were checked, and a single request contradicts nothing.
        drop(self.judge.tick(&self.tick));
        if self.tells {
            self.trace.point(heard.place, || (self.judge.evidence(), self.totals.all));
        }
        if self.judge.gone() {
            let said = self.judge.assess(heard.at_ms);
            self.trace.change(heard.place, &said.verdict);
            self.decided = Some((heard.place, said));
            return;
        }
        if self.tells && self.block.is_full(heard) {
            self.close();
        }
    }

    /// Goes back over the last requests, if another verdict has come of them.
    fn close(&mut self) {
        let (trace, promotable) = (&mut self.trace, &mut self.promotable);
        self.block.close(&self.judge, |Found { place, said }| {
            trace.change(place, &said.verdict);
            if said.promotable {
                promotable.get_or_insert(place);
            }
        });
    }

    /// The yardstick is fixed once: stable's latency before the canary got anything or, where that
    /// is too little, of the time in which the canary warms up and is not judged by it.
    fn refer(&mut self) {
        if self.judge.has_reference() {
            return;
        }
        if self.canary_ms.is_none() {
            let usual: Vec<(u16, u64)> =
                (0..).zip(self.usual.iter().copied()).filter(|(_, count)| *count > 0).collect();
            if let Some(reference) = Reference::new(&usual) {
                self.fix(reference);
            }
            return;
        }
        if self.answered >= ANSWERS_MIN
            && self.is_warm()
            && let Some(reference) = self.judge.reference_so_far()
        {
            self.fix(reference);
        }
    }

    fn fix(&mut self, reference: Reference) {
        // What was heard before is over; the block must not be heard again with a yardstick.
        self.close();
        self.judge.refer(reference);
        self.block.renew(&self.judge);
    }

    fn is_warm(&self) -> bool {
        let since_ms = self.canary_ms.map_or(0, |first| self.at_ms.saturating_sub(first));
        since_ms >= self.policy.burn_in_ms && self.canary >= self.policy.burn_in_requests
    }

    /// What is known after the last request.
    pub(super) fn end(&mut self) -> Assessment {
        if let Some((_, said)) = &self.decided {
            return said.clone();
        }
        self.close();
        self.judge.assess(self.at_ms)
    }
}

impl Heard {
    /// As a tick of one request.
    pub(super) fn fill(&self, tick: &mut Tick) {
        (tick.at_ms, tick.weight) = (self.at_ms, self.weight);
        let (mine, other) = match self.arm {
            Arm::Canary => (&mut tick.canary, &mut tick.stable),
            Arm::Stable => (&mut tick.stable, &mut tick.canary),
        };
        empty(other);
        empty(mine);
        (mine.requests, mine.errors) = (1, u64::from(self.failed));
        mine.latency.extend(self.bucket.map(|bucket| (bucket, 1)));
    }
}

/// Without giving the memory back: there are a million of these.
fn empty(arm: &mut ArmCounts) {
    (arm.requests, arm.errors) = (0, 0);
    arm.latency.clear();
}

impl Both {
    fn add(&mut self, request: &Request<'_>) {
        let pair = match request.arm {
            Arm::Canary => &mut self.canary,
            Arm::Stable => &mut self.stable,
        };
        pair.total += 1;
        pair.events += u64::from(request.failed);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times were seen to be between 0 and the year 5138"
)]
fn milliseconds(seconds: f64) -> Millis {
    (seconds * 1e3).round() as Millis
}
