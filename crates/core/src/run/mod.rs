//! Running a plan: the journal, replayed, says where the plan stands; a pure function says what
//! to do next. There is no other state.

mod earlier;
pub mod entry;
pub mod event;
pub mod evidence;
pub mod history;
pub mod jump;
pub mod next;
pub mod progress;

pub use earlier::earlier;
pub use entry::{Draft, Entry, Subject};
pub use event::{Event, FailureKind, Observation, Outcome, Receipt, TurnReason};
pub use evidence::hear;
pub use history::{History, Operation, Verified};
pub use jump::cannot_jump;
pub use next::{Hold, Next, next};
pub use progress::{Corrupt, Progress, StepState, replay};
