//! Simulated releases: what they need of the schema and how they behave once they run.

use crate::abroad::{OWN, SERVICE, SHARED};
use crate::catalogue::{Columns, Script};
use crate::flags::{FlagStore, OFF, Served, THEME, TOGGLE};
use jiff::Timestamp;
use ripcord_core::flag::{Part, Parts};
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{
    Digest, FlagSet, FlagWish, MigrationRef, MigrationVersion, Release, ReleaseId,
    ReleaseMigration, Role, Source,
};
use ripcord_core::schema::MigrationScript;
use std::collections::BTreeMap;

/// A release of the simulated service.
#[derive(Debug, Clone)]
pub struct SimRelease {
    /// What planners see.
    pub document: Release,
    /// All its migrations with their scripts.
    pub scripts: Vec<MigrationScript>,
    /// The columns that its code reads and writes.
    pub columns: Columns,
    /// What it wants flags to be.
    flags: Served,
    /// How it behaves.
    pub traits: Behaviour,
}

/// How the code of a release behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    /// How many of a hundred answers are errors of its own.
    pub errors: u64,
    /// How long an instance takes to be ready; none: it never is.
    pub ready_ms: Option<Millis>,
    /// Each further instance takes that long more.
    pub one_by_one: bool,
    /// How long an instance lives; none: for ever.
    pub lives_ms: Option<Millis>,
    /// Whether the user's checks pass.
    pub checks_pass: bool,
    /// What a source of metrics says of it.
    pub value: u64,
    /// How many of a hundred answers of every release fail while it gets requests.
    pub harms: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            errors: 0,
            ready_ms: Some(100),
            one_by_one: false,
            lives_ms: None,
            checks_pass: true,
            value: 100,
            harms: 0,
        }
    }
}

impl Behaviour {
    /// Whether failures of it may be its own fault.
    pub fn is_bad(&self) -> bool {
        self.errors > 0 || self.ready_ms.is_none() || self.lives_ms.is_some()
    }
}

impl SimRelease {
    /// A release that brings these migrations after those of its parent.
    pub fn new(id: &str, parent: Option<&SimRelease>, ups: &[&str], traits: Behaviour) -> Self {
        let mut scripts = parent.map(|parent| parent.scripts.clone()).unwrap_or_default();
        for up in ups {
            let version = MigrationVersion(u64::try_from(scripts.len()).unwrap_or(0) + 1);
            let name = up.split(';').next().unwrap_or_default().trim().replace([' ', '.'], "_");
            let checksum = Digest::of_bytes(up.as_bytes());
            let migration = MigrationRef { version, name, checksum };
            let up = (*up).to_owned();
            scripts.push(MigrationScript { migration, up, down: None, origin: None });
        }
        let mut columns = Columns::new();
        for script in &scripts {
            Script::parse(&script.up).shape(&mut columns);
        }
        let mut flags = parent.map(|parent| parent.flags.clone()).unwrap_or_default();
        let toggled = flags.get(TOGGLE).is_some_and(|value| value == OFF);
        flags.insert(TOGGLE.to_owned(), if toggled { "on" } else { OFF }.to_owned());
        flags.insert(THEME.to_owned(), id.to_owned());
        flags.insert(format!("of-{id}"), "on".to_owned());
        let mut release =
            SimRelease { document: document(id, &scripts), scripts, columns, flags, traits };
        let newest = release.scripts.last().map(|script| script.migration.version);
        let wish = FlagWish { want: None, requires_schema: newest.filter(|_| !ups.is_empty()) };
        release.document.flags.wishes.insert(release.own_flag(), wish);
        release.document.flags.document = FlagStore::default().put(&release.parts());
        release
    }

    /// The flag that came with it.
    pub(crate) fn own_flag(&self) -> String {
        format!("of-{}", self.id())
    }

    /// Its own flag and the migration that it needs.
    pub(crate) fn grounded(&self) -> Option<(&str, MigrationVersion)> {
        let own = |key: &str| key.strip_prefix("of-") == Some(self.document.id.as_str());
        let (key, wish) = self.document.flags.wishes.iter().find(|(key, _)| own(key))?;
        Some((key, wish.requires_schema?))
    }

    /// What it wants flags to be.
    pub(crate) fn flags(&self) -> Served {
        self.flags.clone()
    }

    /// The same as a document.
    pub(crate) fn parts(&self) -> Parts {
        self.flags.iter().map(|(key, value)| (Part::Flag(key.clone()), value.clone())).collect()
    }

    /// The same with flags at the service: one that it shares with others, and, where it is the
    /// newer one, its own, which stands on its newest migration. It wants both on then.
    #[must_use]
    pub fn with_flags_abroad(mut self, newer: bool) -> Self {
        let want = newer.then(|| "on".to_owned());
        let newest = self.scripts.last().map(|script| script.migration.version);
        let flags = self.document.flags.services.entry(SERVICE.to_owned()).or_default();
        let shared = FlagWish { want: want.clone(), requires_schema: None };
        flags.insert(SHARED.to_owned(), shared);
        if newer {
            flags.insert(OWN.to_owned(), FlagWish { want, requires_schema: newest });
        }
        self
    }

    /// The same with a role beside the web.
    #[must_use]
    pub fn with_role(mut self, name: &str, instances: u32) -> Self {
        let role = Role { command: vec!["shop".to_owned(), name.to_owned()], instances };
        self.document.roles.insert(name.to_owned(), role);
        self
    }

    /// Its name.
    pub fn id(&self) -> &ReleaseId {
        &self.document.id
    }
}

fn document(id: &str, scripts: &[MigrationScript]) -> Release {
    let digest = |what: &str| Digest::of_bytes(format!("{what} of {id}").as_bytes());
    let migration = |script: &MigrationScript| ReleaseMigration {
        migration: script.migration.clone(),
        down: None,
        origin: None,
    };
    Release {
        format: Release::FORMAT,
        id: id.into(),
        service: "shop".to_owned(),
        artifact: digest("artifact"),
        command: vec!["shop".to_owned()],
        roles: BTreeMap::new(),
        config: BTreeMap::from([("shop.toml".to_owned(), digest("configuration"))]),
        environment: BTreeMap::new(),
        migrations: scripts.iter().map(migration).collect(),
        flags: FlagSet::default(),
        source: Source { commit: None, dirty: false },
        created_by: "ann".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
    }
}
