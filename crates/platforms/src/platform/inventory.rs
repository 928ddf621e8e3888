//! Which instances an environment has: its unit directories, by name. It starts and stops nothing.

use crate::files;
use crate::platform::part::Part;
use crate::unit::{Phase, Status, Unit, UnitSpec};
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
    pub(super) part: Part,
    pub(super) number: u32,
    pub(super) unit: Unit,
    /// Where it listens; none for an instance of a role.
    pub(super) address: Option<SocketAddr>,
    /// The path to ask for its health.
    pub(super) path: String,
    pub(super) status: Option<Status>,
}

impl Inventory {
    pub(crate) fn new(directory: PathBuf) -> Inventory {
        Inventory { directory }
    }

    /// Makes the environment's directory, and refuses a part whose name is none of a file.
    pub(super) fn prepare(&self, part: &Part) -> Result<()> {
        part.check()?;
        fs::create_dir_all(&self.directory).map_err(|error| self.unusable(&error))
    }

    /// Where the highest controller is remembered.
    pub(crate) fn fence_path(&self) -> PathBuf {
        self.directory.join("fence")
    }

    /// One unit, whether it exists or not.
    pub(super) fn unit(&self, part: &Part, number: u32) -> Unit {
        Unit::at(self.directory.join(part.unit_name(number)))
    }

    /// The instances of one part by number.
    pub(super) fn of(&self, part: &Part) -> Result<BTreeMap<u32, Instance>> {
        let all = self.all()?.into_iter().filter(|instance| &instance.part == part);
        Ok(all.map(|instance| (instance.number, instance)).collect())
    }

    /// All instances, by part and number.
    pub(super) fn all(&self) -> Result<Vec<Instance>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.unusable(&error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.unusable(&error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some((part, number)) = Part::parse(&name)
                && let Some(instance) = self.instance(part, number)?
            {
                found.push(instance);
            }
        }
        found.sort_by(|a, b| (&a.part, a.number).cmp(&(&b.part, b.number)));
        Ok(found)
    }

    /// A port that is free and that no unit of the environment has.
    pub(crate) fn choose_port(&self) -> Result<u16> {
        let taken: Vec<u16> =
            self.all()?.iter().filter_map(|found| Some(found.address?.port())).collect();
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
    fn instance(&self, part: Part, number: u32) -> Result<Option<Instance>> {
        let unit = self.unit(&part, number);
        let path = unit.directory().join("unit.json");
        let spec = files::read::<UnitSpec>(&path).map_err(|error| {
            Failure::unknown(format!("{} cannot be read: {error}", path.display()))
        })?;
        let Some(UnitSpec { port, health, .. }) = spec else { return Ok(None) };
        let address = port.map(|port| (Ipv4Addr::LOCALHOST, port).into());
        if address.is_none() && part.role.is_none() {
            return Ok(None);
        }
        let path = health.map_or_else(String::new, |health| health.path);
        let status = unit.status();
        Ok(Some(Instance { part, number, unit, address, path, status }))
    }

    fn unusable(&self, error: &io::Error) -> Failure {
        Failure::unknown(format!("{} cannot be used: {error}", self.directory.display()))
    }
}

impl Instance {
    /// Whom to ask for its health; none for an instance of a role.
    pub(super) fn target(&self) -> Option<(SocketAddr, &str)> {
        Some((self.address?, &self.path))
    }

    /// Whether it was asked to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.phase == Phase::Stopping)
    }

    /// Whether an answer from its port can be its own and will last.
    pub(super) fn may_serve(&self) -> bool {
        let alive = self.status.as_ref().is_some_and(|status| status.phase == Phase::Running);
        alive && self.unit.is_running()
    }

    /// Whether it has stayed up for a moment, which is all that a role can show.
    pub(super) fn has_settled(&self) -> bool {
        self.status.as_ref().is_some_and(|status| self.unit.has_settled(status))
    }

    /// How often it was started again.
    pub(super) fn restarts(&self) -> u32 {
        self.status.as_ref().map_or(0, |status| status.restarts)
    }
}

/// Whether nobody listens on a port.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
