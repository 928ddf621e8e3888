//! What every effect is given along: who asks, how long it may take, and whether to go on.

use ripcord_core::model::ids::Millis;
use ripcord_core::model::{Fence, PlanId, StepId};

/// Accompanies one attempt at one effect.
#[derive(Clone, Copy)]
pub struct Ticket<'a> {
    /// The plan on whose behalf it happens.
    pub plan: &'a PlanId,
    /// The step.
    pub step: StepId,
    /// The fence of the controller. A receiver that has seen a higher one refuses.
    pub fence: Fence,
    /// How long the attempt may take.
    pub deadline_ms: Millis,
    /// Whether somebody asked to stop; long waits look at it several times a second and return
    /// [`crate::Failure::Interrupted`].
    pub stop: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for Ticket<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("plan", self.plan)
            .field("step", &self.step)
            .field("fence", &self.fence)
            .field("deadline_ms", &self.deadline_ms)
            .finish_non_exhaustive()
    }
}
