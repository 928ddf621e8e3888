//! The shop as a whole: a real server, real migrations, real load.

mod catalogue;
mod client;
mod flags;
mod load;
mod process;
mod releases;
mod schema;
mod service;
mod verify;
mod world;
