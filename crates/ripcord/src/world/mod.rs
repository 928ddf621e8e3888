//! The real world behind the engine's traits: files in force, commands, checks, proxy and clock.
//! Nothing here decides anything; each file makes one kind of effect true.

mod checks;
mod clock;
mod command;
mod configuration;
mod fence;
mod files;
mod layout;
mod metrics;
mod resources;
mod secret;
mod traffic;

pub(crate) use checks::PreviewChecks;
pub(crate) use clock::SystemClock;
pub(crate) use configuration::ConfigurationInForce;
pub(crate) use fence::FenceFile;
pub(crate) use files::{Staged, replace_file, stage_file};
pub(crate) use layout::{EnvironmentLayout, Layout};
pub(crate) use metrics::AskedSources;
pub(crate) use resources::CommandResources;
pub(crate) use secret::read_secret;
pub(crate) use traffic::ProxyTraffic;
