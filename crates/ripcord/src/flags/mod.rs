//! The flags of an environment: revisions in the ledger, documents in the store, and one file that
//! is served. The ledger is the truth; the file follows it. Nothing is evaluated here.

mod consequence;
mod edit;
mod effects;
mod keeper;
mod need;
mod parts;
mod server;
mod services;
mod share;
mod wish;

pub(crate) use consequence::{Moves, moved_by_bucketing, reviewed};
pub(crate) use edit::{Act, Edited, Past, edit, unknown};
pub(crate) use effects::{FlagsInForce, put};
pub(crate) use keeper::{FlagKeeper, Revise, SharedLedger, rendered};
pub(crate) use need::{needs, unmet};
pub(crate) use parts::parts;
pub(crate) use server::{Asked, Heard, heard};
pub(crate) use services::{ServicesInForce, unknown_now};
pub(crate) use share::hundredths;
pub(crate) use wish::{at_services, wished};
