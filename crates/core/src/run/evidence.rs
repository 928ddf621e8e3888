//! What the journal has of a comparison, told to a judge: the same for whoever compares, for
//! whoever shows it, and for whoever asks months later whether it was right.

use crate::analysis::{BadTick, Judge};
use crate::run::event::Observation;

/// Tells the judge what was seen; what is no evidence changes nothing.
///
/// # Errors
///
/// Counts that cannot be true are refused; the judge is as before then.
pub fn hear(judge: &mut Judge, observation: &Observation) -> Result<(), BadTick> {
    match observation {
        Observation::Reference { reference } => judge.refer(reference),
        Observation::Sampled { sample } => judge.sample(sample),
        Observation::Judged { tick, .. } => judge.tick(tick)?,
        Observation::Watched { .. }
        | Observation::Lapsed
        | Observation::Alarm { .. }
        | Observation::WouldGoBack { .. }
        | Observation::Undecided { .. }
        | Observation::ServiceFlag { .. }
        | Observation::Retrying { .. } => {}
    }
    Ok(())
}
