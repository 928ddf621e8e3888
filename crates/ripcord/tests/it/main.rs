//! The real binary on real parts: controller, proxy, instances, SQLite, files and signals.

mod bad_input;
mod demo;
mod help;
mod journeys;
mod kills;
mod many;
mod scenarios;
mod site;
mod tour;
