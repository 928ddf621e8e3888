//! How watching a release can end.

use crate::failure::Failure;
use ripcord_core::run::{Event, Receipt};

/// How a watch ended.
pub(crate) enum Watched {
    /// Nothing speaks against the release.
    Passed(Receipt),
    /// This event says why it did not pass.
    Not(Event),
    /// The watching itself failed.
    Failed(Failure),
}
