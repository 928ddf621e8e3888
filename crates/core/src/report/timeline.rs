//! The timeline of a plan.
