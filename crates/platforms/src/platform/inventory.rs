//! Which instances an environment has: its unit directories, by name. It starts and stops nothing.

use crate::files;
use crate::unit::{Phase, Status, Unit, UnitSpec};
use ripcord_core::model::ReleaseId;
use ripcord_engine::{Failure, Result};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// How often a port is chosen before giving up, since a free one may belong to a stopped unit.
const PORT_ATTEMPTS: u32 = 100;

/// The unit directories of one environment.
#[derive(Debug)]
pub(crate) struct Inventory {
    directory: PathBuf,
}

/// One instance as it was found.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) release: ReleaseId,
    pub(crate) number: u32,
    pub(crate) unit: Unit,
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) status: Option<Status>,
}

impl Inventory {
    pub(crate) fn new(directory: PathBuf) -> Inventory {
        Inventory { directory }
    }

    /// Makes the environment's directory, and refuses a release whose name is none of a file.
    pub(crate) fn prepare(&self, release: &ReleaseId) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !release.as_str().starts_with(|c: char| c.is_ascii_alphanumeric())
            || !release.as_str().chars().all(plain)
        {
            return Err(Failure::definite(format!("«{release}» is not the name of a release")));
        }
        fs::create_dir_all(&self.directory).map_err(|error| self.unusable(&error))
    }

    /// Where the highest controller is remembered.
    pub(crate) fn fence_path(&self) -> PathBuf {
        self.directory.join("fence")
    }

    /// One unit, whether it exists or not.
    pub(crate) fn unit(&self, release: &ReleaseId, number: u32) -> Unit {
        Unit::at(self.directory.join(format!("{release}-{number}")))
    }

    /// The instances of one release by number.
    pub(crate) fn of(&self, release: &ReleaseId) -> Result<BTreeMap<u32, Instance>> {
        let all = self.all()?.into_iter().filter(|instance| &instance.release == release);
        Ok(all.map(|instance| (instance.number, instance)).collect())
    }

    /// All instances, by release and number.
    pub(crate) fn all(&self) -> Result<Vec<Instance>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.unusable(&error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.unusable(&error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some((release, number)) = parse(&name)
                && let Some(instance) = self.instance(release, number)?
            {
                found.push(instance);
            }
        }
        found.sort_by(|a, b| (&a.release, a.number).cmp(&(&b.release, b.number)));
        Ok(found)
    }

    /// A port that is free and that no unit of the environment has.
    pub(crate) fn choose_port(&self) -> Result<u16> {
        let taken: Vec<u16> = self.all()?.iter().map(|instance| instance.address.port()).collect();
        for _ in 0..PORT_ATTEMPTS {
            let chosen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr());
            let port =
                chosen.map_err(|error| Failure::transient(format!("no port: {error}")))?.port();
            if !taken.contains(&port) {
                return Ok(port);
            }
        }
        Err(Failure::transient("no free port of 127.0.0.1 was found"))
    }

    /// What a unit directory says; none while it is made or removed.
    fn instance(&self, release: ReleaseId, number: u32) -> Result<Option<Instance>> {
        let unit = self.unit(&release, number);
        let path = unit.directory().join("unit.json");
        let spec = files::read::<UnitSpec>(&path).map_err(|error| {
            Failure::unknown(format!("{} cannot be read: {error}", path.display()))
        })?;
        let Some(UnitSpec { port: Some(port), health, .. }) = spec else { return Ok(None) };
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let path = health.map_or_else(String::new, |health| health.path);
        let status = unit.status();
        Ok(Some(Instance { release, number, unit, address, path, status }))
    }

    fn unusable(&self, error: &io::Error) -> Failure {
        Failure::unknown(format!("{} cannot be used: {error}", self.directory.display()))
    }
}

impl Instance {
    /// Whom to ask for its health.
    pub(crate) fn target(&self) -> (SocketAddr, &str) {
        (self.address, &self.path)
    }

    /// Whether it was asked to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.phase == Phase::Stopping)
    }

    /// Whether an answer from its port can be its own and will last.
    pub(crate) fn may_serve(&self) -> bool {
        let alive = self.status.as_ref().is_some_and(|status| status.phase == Phase::Running);
        alive && self.unit.is_running()
    }

    /// How often it was started again.
    pub(crate) fn restarts(&self) -> u32 {
        self.status.as_ref().map_or(0, |status| status.restarts)
    }
}

/// Whether nobody listens on a port.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The release and number of a unit directory's name.
fn parse(name: &str) -> Option<(ReleaseId, u32)> {
    let (release, number) = name.rsplit_once('-')?;
    let canonical = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
    (canonical && !release.is_empty()).then(|| Some((release.into(), number.parse().ok()?)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_units() {
        let check = |name: &str, expected: Option<(&str, u32)>| {
            assert_eq!(parse(name), expected.map(|(r, n)| (r.into(), n)), "{name}");
        };
        check("v1-1", Some(("v1", 1)));
        check("v1-12", Some(("v1", 12)));
        check("a-b-2", Some(("a-b", 2)));
        check("v1-01", None);
        check("v1-0", None);
        check("v1-", None);
        check("-1", None);
        check("fence", None);
        check("v1-99999999999", None);
    }
}
