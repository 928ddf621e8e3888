//! What releases are made of, kept by digest: written once, verified at every read, recreated
//! from here whenever an old release is wanted again. It knows files and digests, no plans.

mod artifact;
mod flags;
mod freeze;
mod git;
mod listing;
mod manifest;
mod materialise;
mod migrations;
mod object;
mod prune;
#[cfg(test)]
mod tests;

pub(crate) use artifact::inspect;
pub(crate) use flags::flag_set;
pub(crate) use freeze::config_file;
pub(crate) use git::git_tag;
pub(crate) use manifest::write_manifest;
pub(crate) use migrations::Folder;
pub(crate) use object::Store;
