//! The steps: each a migration as people write them, with the script that takes it back as its
//! author would have written it, and where it is telling a wrong one.

mod folders;
mod rest;
mod tables;
mod types;

/// One migration.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    /// A script that does something else; none for one that is cut short.
    pub(super) wrong: Option<&'static str>,
}

const fn step(name: &'static str, up: &'static str, down: &'static str) -> Step {
    Step { name, up, down, wrong: None }
}

/// All of them.
pub(super) fn steps() -> impl Iterator<Item = &'static Step> {
    tables::STEPS.iter().chain(types::STEPS).chain(rest::STEPS).chain(folders::STEPS)
}
