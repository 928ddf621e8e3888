//! Keeping: before something is destroyed it is copied into Ripcord's own schema, in the same
//! transaction, and described there so that it can be put back without the script.
//!
//! Nothing here decides what to run. Functions expect to be called within
//! [`quietly`](crate::postgres::quiet::quietly).

mod closure;
mod inventory;
mod keeper;
mod retype;
mod table;
mod watch;

pub(crate) use closure::doomed;
pub(crate) use inventory::{Inventory, Lost};
pub(crate) use keeper::{Keeper, short};
pub(crate) use retype::Retyping;
pub(crate) use table::Table;
pub(crate) use watch::{Watch, sweep};
