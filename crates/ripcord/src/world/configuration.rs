//! The configuration in force: a link to the configuration directory of one release, replaced
//! in one step. Instances read their own release's directory; the link is for everything that
//! has no release of its own, such as cron jobs and people.

use crate::world::FenceFile;
use crate::world::files::sync_directory;
use crate::world::layout::{EnvironmentLayout, Layout};
use ripcord_core::model::{Digest, Release, ReleaseId};
use ripcord_core::run::Receipt;
use ripcord_engine::{Config, Failure, Result, Ticket};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// How a release is looked up by its id.
pub(crate) type Releases = dyn Fn(&ReleaseId) -> Option<Release> + Send + Sync;

/// The link of one environment.
pub(crate) struct ConfigurationInForce {
    pub(crate) layout: Layout,
    pub(crate) environment: EnvironmentLayout,
    pub(crate) fence: FenceFile,
    pub(crate) releases: Box<Releases>,
}

impl Config for ConfigurationInForce {
    fn observe(&self) -> Result<Option<ReleaseId>> {
        let target = match fs::read_link(self.environment.config()) {
            Ok(target) => target,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::transient(error)),
        };
        let id = target.parent().and_then(|parent| parent.file_name());
        let id = id.map(|name| ReleaseId(name.to_string_lossy().into_owned()));
        let id = id.ok_or_else(|| Failure::definite("the configuration link names no release"))?;
        // What differs from every release is nobody's configuration.
        Ok(self.compare(&id).is_ok().then_some(id))
    }

    fn ensure(&self, release: Option<&ReleaseId>, ticket: &Ticket<'_>) -> Result<Receipt> {
        self.fence.pass(ticket.fence)?;
        let link = self.environment.config();
        let Some(release) = release else {
            return match fs::remove_file(&link) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::transient(error)),
                _ => Ok(Receipt::of("no configuration in force")),
            };
        };
        self.compare(release)?;
        let target = PathBuf::from("../../releases").join(release.as_str()).join("config");
        let temporary = link.with_extension("new");
        drop(fs::remove_file(&temporary));
        let replaced = symlink(&target, &temporary)
            .and_then(|()| fs::rename(&temporary, &link))
            .and_then(|()| sync_directory(self.environment.root()));
        replaced.map_err(Failure::transient)?;
        Ok(Receipt::of(format!("configuration of {release} in force")))
    }
}

impl ConfigurationInForce {
    /// Compares the files of a release's configuration with what was frozen, to the byte.
    fn compare(&self, id: &ReleaseId) -> Result<()> {
        let release = (self.releases)(id)
            .ok_or_else(|| Failure::Definite(format!("there is no release {id}")))?;
        let directory = self.layout.release(id).join("config");
        for (name, digest) in &release.config {
            let path = directory.join(name);
            let bytes = fs::read(&path)
                .map_err(|error| Failure::Definite(format!("{}: {error}", path.display())))?;
            if &Digest::of_bytes(&bytes) != digest {
                let what = format!("{} is not what {id} was frozen with", path.display());
                return Err(Failure::Definite(what));
            }
        }
        Ok(())
    }
}
