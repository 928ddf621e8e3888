//! Where everything lies in the state directory. One place knows; nobody else joins paths.

use ripcord_core::model::{EnvironmentName, ReleaseId};
use std::path::{Path, PathBuf};

/// The state directory of one controller.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Layout {
        Layout { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Address and token of the running controller, readable by its owner alone.
    pub(crate) fn contact(&self) -> PathBuf {
        self.root.join("controller.json")
    }

    /// The directory of a release: its artifact and its configuration, materialised.
    pub(crate) fn release(&self, release: &ReleaseId) -> PathBuf {
        self.root.join("releases").join(release.as_str())
    }

    pub(crate) fn environment(&self, name: &EnvironmentName) -> EnvironmentLayout {
        EnvironmentLayout { root: self.root.join("environments").join(name.as_str()) }
    }
}

/// What belongs to one environment.
#[derive(Debug, Clone)]
pub(crate) struct EnvironmentLayout {
    root: PathBuf,
}

impl EnvironmentLayout {
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A link to the configuration directory of the release whose configuration is in force.
    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("config")
    }

    /// The flags document in force.
    pub(crate) fn flags(&self) -> PathBuf {
        self.root.join("flags.json")
    }

    /// The highest fence seen by configuration and flags.
    pub(crate) fn fence(&self) -> PathBuf {
        self.root.join("fence")
    }

    pub(crate) fn proxy(&self) -> PathBuf {
        self.root.join("proxy")
    }

    pub(crate) fn proxy_unit(&self) -> PathBuf {
        self.root.join("proxy-unit")
    }

    pub(crate) fn proxy_control(&self) -> PathBuf {
        self.root.join("proxy.sock")
    }

    /// The process that serves the flags.
    pub(crate) fn flags_unit(&self) -> PathBuf {
        self.root.join("flags-unit")
    }

    pub(crate) fn units(&self) -> PathBuf {
        self.root.join("units")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }
}
