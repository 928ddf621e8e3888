//! The few synchronisation primitives that the cutover gate is built from.
//!
//! `gate.rs` imports them from its parent module and from nowhere else, so that the same source
//! file is compiled twice: here over the standard library, and in `gate_model` over loom, which
//! tries every interleaving. Nothing else may live here, or the model would drift from the truth.

pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
pub(crate) use std::sync::{Mutex, MutexGuard};

use std::sync::{Arc, PoisonError};

/// Locks; a panic elsewhere must not stop traffic, and no holder leaves the data half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The current value of something that is replaced as a whole and read without waiting.
pub(crate) struct Current<T>(arc_swap::ArcSwap<T>);

impl<T> Current<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(arc_swap::ArcSwap::new(value))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        self.0.load_full()
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        self.0.store(value);
    }
}
