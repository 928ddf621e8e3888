//! x
mod gate;
#[cfg(all(test, feature = "loom"))]
mod gate_model;
mod sync;
