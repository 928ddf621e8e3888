//! The gate under loom: every interleaving and every allowed reordering of small worlds.
//!
//! What must hold, whatever the schedule:
//! 1. after "drained" no request is inside the old release;
//! 2. while requests are held, two releases never have requests inside at the same time;
//! 3. the counts return to zero, and every held request is let in: no wake-up is lost (loom ends a
//!    world in which everybody sleeps as a deadlock).
//!
//! Three wrong gates, put together from the right gate's own parts, must be found out. A model
//! that cannot fail proves nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::future::block_on;
use loom::sync::atomic::AtomicUsize as Cell;
use loom::thread;
use std::sync::Arc;

use gate::{Entry, Gate, InFlight};
use sync::Ordering;

mod sync {
    //! The primitives of the gate, over loom.

    pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    use std::sync::{Arc, PoisonError};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    thread_local! {
        /// A test may take the fences away. All of loom's threads are one thread of the system.
        pub(super) static FENCED: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
    }

    pub(crate) fn fence(ordering: Ordering) {
        if FENCED.get() {
            loom::sync::atomic::fence(ordering);
        }
    }

    /// As strong as an atomic pointer with acquire and release, and no stronger: the list that
    /// the index points into is invisible to loom, so that it orders nothing.
    pub(crate) struct Current<T> {
        index: AtomicUsize,
        values: std::sync::Mutex<Vec<Arc<T>>>,
    }

    impl<T> Current<T> {
        pub(crate) fn new(value: Arc<T>) -> Self {
            Self { index: AtomicUsize::new(0), values: std::sync::Mutex::new(vec![value]) }
        }

        pub(crate) fn load(&self) -> Arc<T> {
            let index = self.index.load(Ordering::Acquire);
            let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&values[index])
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
            values.push(value);
            let index = values.len() - 1;
            drop(values);
            self.index.store(index, Ordering::Release);
        }
    }
}

#[expect(dead_code, reason = "the model does not need every method of the gate")]
#[expect(clippy::duplicate_mod, reason = "the very source that is shipped, over loom")]
#[path = "gate.rs"]
mod gate;

/// A release of the model. `inside` is what the application sees; it is relaxed, so that it
/// orders nothing that the gate did not order, and only ever read by changing it, so that it is
/// never out of date.
struct Release {
    in_flight: Arc<InFlight>,
    inside: Cell,
}

/// Added to `inside` of a release whose application is gone or must not be disturbed.
const STOPPED: usize = 1 << 16;

impl Release {
    fn new() -> Arc<Self> {
        Arc::new(Self { in_flight: Arc::new(InFlight::new()), inside: Cell::new(0) })
    }

    fn serve(&self) {
        let before = self.inside.fetch_add(1, Ordering::Relaxed);
        assert!(before < STOPPED, "a request came into a drained release");
        thread::yield_now();
        self.inside.fetch_sub(1, Ordering::Relaxed);
    }

    fn stop(&self) {
        let before = self.inside.fetch_add(STOPPED, Ordering::Relaxed);
        assert_eq!(before, 0, "a request is inside a drained release");
    }

    fn start(&self) {
        self.inside.fetch_sub(STOPPED, Ordering::Relaxed);
    }
}

/// A table is just the release that serves.
struct Table(Arc<Release>);

/// The gate over two releases.
struct World {
    gate: Gate<Table>,
    old: Arc<Release>,
    new: Arc<Release>,
}

type Act = fn(&World);

impl World {
    fn new() -> Arc<Self> {
        let (old, new) = (Release::new(), Release::new());
        Arc::new(Self { gate: Gate::new(table(&old), true), old, new })
    }

    /// Runs `requests` against the acts of the controller, then looks whether all is quiet.
    fn run(requests: usize, request: Act, controller: Act) {
        let world = Self::new();
        let start = |_| {
            let world = Arc::clone(&world);
            thread::spawn(move || request(&world))
        };
        let threads: Vec<_> = (0..requests).map(start).collect();
        controller(&world);
        for thread in threads {
            thread.join().expect("a request panicked");
        }
        for release in [&world.old, &world.new] {
            assert_eq!(release.in_flight.count(), 0, "the count did not return to zero");
        }
    }
}

fn table(release: &Arc<Release>) -> Arc<Table> {
    Arc::new(Table(Arc::clone(release)))
}

/// A request: waits while held, enters, is served, leaves.
fn request(world: &World) {
    loop {
        let choose = |to: &Table| Some((Arc::clone(&to.0.in_flight), Arc::clone(&to.0)));
        match world.gate.enter(choose) {
            Entry::In(guard, release) => {
                release.serve();
                return drop(guard);
            }
            Entry::Closed { seen, .. } => block_on(world.gate.changed(seen)),
            Entry::Nowhere => unreachable!("every table of the model has a route"),
        }
    }
}

/// A request that counts itself in and does not look again.
fn request_without_second_look(world: &World) {
    let (_, table) = world.gate.look();
    let release = &table.0;
    let guard = release.in_flight.join();
    release.serve();
    drop(guard);
}

/// From old to new; the old one is stopped as soon as it is drained.
fn cutover(world: &World) {
    world.gate.change(table(&world.new), true);
    block_on(world.old.in_flight.empty());
    world.old.stop();
}

fn cutover_raising_before_swapping(world: &World) {
    world.gate.raise(true);
    world.gate.swap(table(&world.new));
    block_on(world.old.in_flight.empty());
    world.old.stop();
}

/// Holds all requests, works where nobody may be, and lets them go on to the other release.
fn hold_and_swap(world: &World) {
    hold_then_open(world, &world.new);
}

/// The same, but back to the release that served before: a pointer alone would not show it.
fn hold_and_return(world: &World) {
    hold_then_open(world, &world.old);
}

fn hold_then_open(world: &World, next: &Arc<Release>) {
    world.gate.change(table(&world.old), false);
    block_on(world.old.in_flight.empty());
    for release in [&world.old, &world.new] {
        release.stop();
    }
    next.start();
    world.gate.change(table(next), true);
}

fn explore(preemptions: Option<usize>, world: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(world);
}

/// Runs a world that is wrong on purpose; loom must find out, and for the right reason.
fn is_found_out(request: Act, controller: Act) {
    let explored = catch_unwind(AssertUnwindSafe(|| {
        explore(Some(3), move || World::run(1, request, controller));
    }));
    let panic = explored.expect_err("loom found nothing wrong with a gate that is wrong");
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    assert!(text.contains("a drained release"), "it failed for another reason: {text}");
}

#[test]
fn after_drained_no_request_is_inside() {
    explore(Some(3), || World::run(2, request, cutover));
}

#[test]
fn one_request_in_every_interleaving() {
    explore(None, || World::run(1, request, cutover));
}

#[test]
fn while_held_nobody_is_inside_and_all_go_on() {
    explore(Some(2), || World::run(2, request, hold_and_swap));
}

#[test]
fn returning_to_the_same_release_is_noticed() {
    explore(Some(2), || World::run(2, request, hold_and_return));
}

#[test]
fn one_held_request_in_depth() {
    explore(Some(4), || World::run(1, request, hold_and_return));
}

#[test]
fn without_the_second_look_it_is_found_out() {
    is_found_out(request_without_second_look, cutover);
}

#[test]
fn raising_before_swapping_is_found_out() {
    is_found_out(request, cutover_raising_before_swapping);
}

#[test]
fn without_the_fences_it_is_found_out() {
    sync::FENCED.set(false);
    is_found_out(request, cutover);
}
