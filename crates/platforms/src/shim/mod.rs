//! The shim: a small process that keeps one other process running. It knows no releases, no
//! controller and no network; it is asked to end by SIGTERM, and its process dies with it.

mod exec;
mod keep;

pub use exec::run_exec;
pub(crate) use exec::secrets;
pub use keep::run_shim;

/// Tells a shim the fence of whoever starts it.
pub(crate) const FENCE_VARIABLE: &str = "RIPCORD_SHIM_FENCE";

/// Tells the second stage which process must be its parent.
const PARENT_VARIABLE: &str = "RIPCORD_SHIM_PARENT";

/// Where, in the unit's directory, the second stage says why it cannot become the process.
const REFUSED_FILE: &str = "refused.json";
