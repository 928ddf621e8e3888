//! Sources of metrics beside the proxy: Prometheus, any service that answers in JSON, a command.
//! And services for feature flags that are somebody else's: `LaunchDarkly`, `ConfigCat`.
//!
//! A source is asked once per call, within bounds of time and size, and says a number, that it
//! has none, or what is wrong. It must not retry, which the caller's next look does; it must not
//! judge what a number means; and it must not guess a number where there is none.

mod command;
mod config;
mod error;
mod http;
mod near;
mod prometheus;
mod promql;
mod query;
pub mod services;
mod sources;
mod web;

pub use config::{Headers, Method, SourceConfig};
pub use error::SourceError;
pub use query::{Names, fill};
pub use sources::{Past, Sources};
