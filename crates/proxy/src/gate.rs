//! The cutover gate: how a request enters a release, and how a drain knows that nobody is inside.
//!
//! The naive way has a race that no load test finds:
//!
//! ```text
//! request:  p = current        ...... gap ......        p.in_flight += 1   ... serve ...
//! drainer:        current = new; wait until old.in_flight == 0  -> "drained"   (it is not)
//! ```
//!
//! In the gap the drainer reads zero although a request already holds the old table. Holding
//! requests back has the same gap: pause, swap and resume may all happen inside it. So a request
//! **counts first and then looks again**: one atomic word (`generation * 2 + closed`) is raised by
//! every change, always *after* the new table is in place, and a request that finds the word
//! moved leaves and starts over. Either the drainer sees the count, or the request sees the word:
//!
//! ```text
//! request:  s = word; p = current; p.in_flight += 1; fence; word == s ? serve : leave and retry
//! drainer:  current = new; word raised;              fence; wait until old.in_flight == 0
//! ```
//!
//! Both sides store and then load another place, which acquire and release do not order; the
//! `SeqCst` fences do. The closed bit shares the word with the generation, so there are no two
//! checks whose order could be wrong, and going from A to B and back to A is noticed.
//!
//! This file uses only the `sync` module of its parent, and is model-checked by loom
//! (`gate_model.rs`). It must not know what a release, a request or a clock is.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::sync::{AtomicU64, AtomicUsize, Current, Mutex, Ordering, fence, lock};

/// The table of routes that is in force, and whether requests may enter at all.
pub(crate) struct Gate<T> {
    /// `generation * 2 + closed`; the generation counts changes since this process started.
    word: AtomicU64,
    current: Current<T>,
    held: Wakers,
}

/// What became of an attempt to enter.
pub(crate) enum Entry<T, P> {
    /// Counted in, and stays so until the guard is dropped.
    In(Guard, P),
    /// Requests are not flowing; `seen` is what to wait on with [`Gate::changed`].
    Closed { seen: u64, table: Arc<T> },
    /// The table in force has no route for this request.
    Nowhere,
}

impl<T> Gate<T> {
    pub(crate) fn new(table: Arc<T>, open: bool) -> Self {
        let word = AtomicU64::new(u64::from(!open));
        Self { word, current: Current::new(table), held: Wakers::new() }
    }

    /// Enters the release that `choose` picks from the table in force.
    ///
    /// Lock-free: an attempt is repeated only if a change of the table landed in its middle, so
    /// it ends unless somebody changes the table as fast as a request can look at it.
    pub(crate) fn enter<P>(
        &self,
        mut choose: impl FnMut(&T) -> Option<(Arc<InFlight>, P)>,
    ) -> Entry<T, P> {
        loop {
            let (seen, table) = self.look();
            if seen & 1 == 1 {
                return Entry::Closed { seen, table };
            }
            let Some((in_flight, chosen)) = choose(&table) else { return Entry::Nowhere };
            let guard = in_flight.join();
            if self.unmoved(seen) {
                return Entry::In(guard, chosen);
            }
        }
    }

    /// Puts a new table in force and opens or closes the gate. Callers take turns.
    ///
    /// When this returns, every request that enters does so by the new table, and every request
    /// that entered by an older one is counted in [`InFlight`].
    pub(crate) fn change(&self, table: Arc<T>, open: bool) {
        self.swap(table);
        self.raise(open);
        self.held.wake_all();
    }

    /// Resolves once the word is no longer `seen`; waiters wake in the order in which they came.
    pub(crate) fn changed(&self, seen: u64) -> Until<'_, impl Fn() -> bool> {
        self.held.until(move || self.word.load(Ordering::Acquire) != seen)
    }

    /// The table in force.
    pub(crate) fn table(&self) -> Arc<T> {
        self.current.load()
    }

    /// First look: the word before the table, so that the table is never older than the word.
    pub(super) fn look(&self) -> (u64, Arc<T>) {
        let seen = self.word.load(Ordering::Acquire);
        (seen, self.current.load())
    }

    /// Second look, after counting in.
    pub(super) fn unmoved(&self, seen: u64) -> bool {
        self.word.load(Ordering::Acquire) == seen
    }

    /// First half of a change. Raising before swapping would let a request read the new word and
    /// still the old table, and be missed.
    pub(super) fn swap(&self, table: Arc<T>) {
        self.current.store(table);
    }

    /// Second half of a change.
    pub(super) fn raise(&self, open: bool) {
        let word = self.word.load(Ordering::Relaxed);
        self.word.store(((word >> 1) + 1) << 1 | u64::from(!open), Ordering::Release);
        fence(Ordering::SeqCst);
    }
}

/// How many are inside one release, by one way in.
pub(crate) struct InFlight {
    count: AtomicUsize,
    drainers: Wakers,
}

impl InFlight {
    pub(crate) fn new() -> Self {
        Self { count: AtomicUsize::new(0), drainers: Wakers::new() }
    }

    /// Counts one in, visibly to whoever raises the word after the second look.
    pub(crate) fn join(self: &Arc<Self>) -> Guard {
        self.count.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Guard(Arc::clone(self))
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Resolves when nobody is inside. Only after a change that lets nobody in does it mean
    /// "drained"; before that it is only a moment.
    pub(crate) fn empty(&self) -> Until<'_, impl Fn() -> bool> {
        self.drainers.until(|| self.count() == 0)
    }
}

/// One who is inside. Leaving is in `Drop`, so that panics and vanished clients count too.
pub(crate) struct Guard(Arc<InFlight>);

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.drainers.wake_all();
        }
    }
}

/// Tasks that wait for a condition, woken in the order in which they came.
///
/// No wake-up is lost: a waiter registers under the lock and then looks at the condition; who
/// makes the condition true takes the lock afterwards. If the waker was taken before the waiter
/// registered, the lock has already carried the change over to the waiter's look.
struct Wakers(Mutex<Waiting>);

struct Waiting {
    next: u64,
    tasks: BTreeMap<u64, Waker>,
}

impl Wakers {
    fn new() -> Self {
        Self(Mutex::new(Waiting { next: 0, tasks: BTreeMap::new() }))
    }

    fn wake_all(&self) {
        let tasks = std::mem::take(&mut lock(&self.0).tasks);
        for waker in tasks.into_values() {
            waker.wake();
        }
    }

    fn until<F: Fn() -> bool>(&self, holds: F) -> Until<'_, F> {
        Until { wakers: self, holds, ticket: None }
    }
}

/// Waits until a condition holds. Dropping it leaves the queue.
pub(crate) struct Until<'a, F> {
    wakers: &'a Wakers,
    holds: F,
    ticket: Option<u64>,
}

impl<F: Fn() -> bool + Unpin> Future for Until<'_, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if (self.holds)() {
            return Poll::Ready(());
        }
        let mut waiting = lock(&self.wakers.0);
        let ticket = self.ticket.unwrap_or(waiting.next);
        waiting.next = waiting.next.max(ticket + 1);
        waiting.tasks.insert(ticket, context.waker().clone());
        drop(waiting);
        self.ticket = Some(ticket);
        if (self.holds)() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<F> Drop for Until<'_, F> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            lock(&self.wakers.0).tasks.remove(&ticket);
        }
    }
}
