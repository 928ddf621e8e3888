//! One release as the proxy knows it while it runs: two ways in, and what is counted.
//!
//! A release outlives the tables that name it. Its counters must: a request that entered by an
//! older table is still inside the same release.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use tokio::sync::watch;

use crate::control::wire::InFlightCounts;
use crate::counts::{Outcome, Tally};
use crate::gate::{Guard, InFlight};
use crate::state::ReleaseName;
use crate::trial::{Chance, Trial};

/// A release, for as long as anything refers to it.
pub(crate) struct Release {
    pub(crate) header: HeaderValue,
    pub(crate) tally: Tally,
    clock: Instant,
    /// Those in use, and older ones that somebody may still be inside of.
    lanes: Mutex<Vec<Arc<Lanes>>>,
}

/// The two ways into a release that exist while its targets stay.
///
/// When a target is taken away from a release that stays, the release gets new lanes, and the old
/// ones are drained: some of those inside are at that target. Which ones is not known, so a drain
/// deadline that passes cuts off all of them.
pub(crate) struct Lanes {
    pub(crate) live: Arc<Lane>,
    pub(crate) preview: Arc<Lane>,
}

/// Which listener a request came in by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Live,
    Preview,
}

impl Release {
    pub(crate) fn new(name: &ReleaseName, clock: Instant) -> Self {
        let header = HeaderValue::from_str(name.as_str());
        let header = header.expect("a release name is printable ASCII");
        Self { header, tally: Tally::new(), clock, lanes: Mutex::default() }
    }

    /// New ways in. Old ones that are empty are forgotten, so that they cannot pile up.
    pub(crate) fn open_lanes(&self) -> Arc<Lanes> {
        let [live, preview] = [(); 2].map(|()| Arc::new(Lane::new(self.clock)));
        let lanes = Arc::new(Lanes { live, preview });
        let mut all = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|old| old.both().iter().any(|lane| !lane.is_empty()));
        all.push(Arc::clone(&lanes));
        lanes
    }

    /// All ways in through which somebody may be inside.
    pub(crate) fn lanes(&self) -> Vec<Arc<Lanes>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many are inside, over all lanes.
    pub(crate) fn inside(&self) -> InFlightCounts {
        self.lanes().iter().fold(InFlightCounts::default(), |sum, lanes| InFlightCounts {
            live: sum.live + lanes.live.requests.count() as u64,
            preview: sum.preview + lanes.preview.requests.count() as u64,
            upgraded: sum.upgraded
                + lanes.both().iter().map(|lane| lane.upgrades.count() as u64).sum::<u64>(),
        })
    }
}

impl Lanes {
    pub(crate) fn lane(&self, side: Side) -> &Arc<Lane> {
        match side {
            Side::Live => &self.live,
            Side::Preview => &self.preview,
        }
    }

    pub(crate) fn both(&self) -> [&Arc<Lane>; 2] {
        [&self.live, &self.preview]
    }
}

/// One way into a release; each is drained on its own.
///
/// `drains` and `cuts` are raised only after the gate has been raised. A request notes both before
/// it is counted in; if it notes a new number, its second look at the gate finds the gate moved,
/// so a request that was let in and finds its number old is one that the drain means.
pub(crate) struct Lane {
    pub(crate) requests: Arc<InFlight>,
    pub(crate) upgrades: Arc<InFlight>,
    drains: AtomicU64,
    cuts: AtomicU64,
    clock: Instant,
    last_entered_us: AtomicU64,
    closing: watch::Sender<Closing>,
}

/// When upgraded connections that began before a drain must be gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing {
    pub(crate) drain: u64,
    pub(crate) until: Instant,
}

impl Lane {
    fn new(clock: Instant) -> Self {
        let closing = watch::Sender::new(Closing { drain: 0, until: clock });
        let [requests, upgrades] = [(); 2].map(|()| Arc::new(InFlight::new()));
        let [drains, cuts, last_entered_us] = [(); 3].map(|()| AtomicU64::new(0));
        Self { requests, upgrades, drains, cuts, clock, last_entered_us, closing }
    }

    /// Tells upgraded connections to close by `until`. Only after the gate was raised.
    pub(crate) fn begin_drain(&self, until: Instant) {
        let drain = self.drains.fetch_add(1, Ordering::AcqRel) + 1;
        self.closing.send_replace(Closing { drain, until });
    }

    /// Marks everybody inside as cut off. Only after the gate was raised.
    pub(crate) fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests.count() + self.upgrades.count() == 0
    }

    /// When the last request came in, if that was after `moment`.
    pub(crate) fn last_entered_after(&self, moment: Instant) -> Option<Duration> {
        let last = Duration::from_micros(self.last_entered_us.load(Ordering::Relaxed));
        (self.clock + last).checked_duration_since(moment).filter(|after| !after.is_zero())
    }

    fn note_entry(&self) {
        let us = u64::try_from(self.clock.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last_entered_us.fetch_max(us, Ordering::Relaxed);
    }
}

/// What a request notes about its lane before it is counted in.
pub(crate) struct Stub {
    release: Arc<Release>,
    side: Side,
    lane: Arc<Lane>,
    drains: u64,
    cuts: u64,
}

impl Stub {
    pub(crate) fn new(release: &Arc<Release>, lanes: &Lanes, side: Side) -> Self {
        let lane = Arc::clone(lanes.lane(side));
        let drains = lane.drains.load(Ordering::Acquire);
        let cuts = lane.cuts.load(Ordering::Acquire);
        Self { release: Arc::clone(release), side, lane, drains, cuts }
    }

    fn is_cut(&self) -> bool {
        self.lane.cuts.load(Ordering::Acquire) != self.cuts
    }
}

/// A request that was let in. It is inside its release until this is dropped.
pub(crate) struct Pass {
    stub: Arc<Stub>,
    seat: Arc<Seat>,
    trial: Option<Trial>,
    _guard: Guard,
}

impl Pass {
    pub(crate) fn new(guard: Guard, stub: Stub, seat: &Arc<Seat>) -> Self {
        stub.lane.note_entry();
        let stub = Arc::new(stub);
        seat.put(Some(Arc::clone(&stub)));
        Self { stub, seat: Arc::clone(seat), trial: None, _guard: guard }
    }

    pub(crate) fn release(&self) -> &Arc<Release> {
        &self.stub.release
    }

    /// The request is about to be sent: from here on it counts.
    pub(crate) fn assigned(&mut self, chance: Option<Chance>) {
        if let Some(tally) = self.tally() {
            tally.assigned();
        }
        self.trial = chance.map(|chance| chance.begin(self.stub.lane.clock));
    }

    /// The first attempt ended, well if there is no outcome.
    pub(crate) fn ended(&mut self, took: Duration, outcome: Option<Outcome>) {
        if let Some(tally) = self.tally() {
            tally.took(took);
        }
        if let Some(trial) = &mut self.trial {
            trial.ended(took);
        }
        if let Some(outcome) = outcome {
            self.failed(outcome);
        }
    }

    /// The first attempt failed, after its end or at it.
    pub(crate) fn failed(&mut self, outcome: Outcome) {
        if let Some(tally) = self.tally() {
            tally.outcome(outcome);
        }
        self.refused();
    }

    /// The release could not even be asked. Whoever compares releases counts that as a failure.
    pub(crate) fn refused(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.failed();
        }
    }

    /// The counters, if this request counts.
    fn tally(&self) -> Option<&Tally> {
        (self.stub.side == Side::Live).then_some(&self.stub.release.tally)
    }

    /// Counts an upgraded connection in, before this pass is given back.
    pub(crate) fn upgrade(&self) -> Upgraded {
        let lane = &self.stub.lane;
        Upgraded {
            drains: self.stub.drains,
            closing: lane.closing.subscribe(),
            _guard: lane.upgrades.join(),
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // Here and nowhere else, because a connection that is ended takes its request with it.
        if self.stub.is_cut()
            && let Some(tally) = self.tally()
        {
            tally.outcome(Outcome::Cut);
        }
        self.seat.put(None);
    }
}

/// An upgraded connection, inside its release until this is dropped.
pub(crate) struct Upgraded {
    drains: u64,
    closing: watch::Receiver<Closing>,
    _guard: Guard,
}

impl Upgraded {
    /// Resolves when the lane is drained, with the moment by which the connection must be gone.
    pub(crate) async fn told_to_close(&mut self) -> Instant {
        let drains = self.drains;
        match self.closing.wait_for(|closing| closing.drain > drains).await {
            Ok(closing) => closing.until,
            // The lane cannot go while its guard is held; if it did, nobody would wait for us.
            Err(_) => Instant::now(),
        }
    }
}

/// The place on a client connection where its one request sits, so that the connection can see
/// that its request was cut off even when nobody polls the request.
#[derive(Default)]
pub(crate) struct Seat(Mutex<Option<Arc<Stub>>>);

impl Seat {
    fn put(&self, stub: Option<Arc<Stub>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stub;
    }

    /// Whether a request sits here and was cut off.
    pub(crate) fn is_cut(&self) -> bool {
        let stub = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stub.as_ref().is_some_and(|stub| stub.is_cut())
    }
}
