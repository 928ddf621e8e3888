//! Freezing: everything that the configuration names goes into the store, and a release names
//! it by digest. Nothing outside the store is changed.

use crate::config::Config;
use crate::failure::{Code, Failure};
use crate::flags::{at_services, wished};
use crate::store::artifact;
use crate::store::flags::flag_set;
use crate::store::git;
use crate::store::migrations::Folder;
use crate::store::object::{Store, unusable};
use jiff::Timestamp;
use ripcord_core::model::{Digest, FlagSet, Release, ReleaseId, ReleaseMigration};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest configuration file or flags document.
const CONFIG_FILE_BYTES_MAX: u64 = 16 << 20;

/// The id of a release that has no number yet; whoever records it gives it one.
const UNNUMBERED: &str = "unnumbered";

impl Store {
    /// Freezes what the configuration names into a release that has no number yet.
    pub(crate) fn freeze(&self, config: &Config, by: &str) -> Result<Release, Failure> {
        let document = config.document();
        let listing = artifact::inspect(config)?.listing(&|file| self.put_from(file))?;
        let listing = serde_json::to_vec(&listing)
            .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
        let environment = document.config.environment.iter();
        let migrations = self.freeze_migrations(config)?;
        Ok(Release {
            format: Release::FORMAT,
            id: ReleaseId::from(UNNUMBERED),
            service: document.service.as_str().to_owned(),
            artifact: self.put(&listing)?,
            command: document.artifact.command.get_ref().words().to_vec(),
            roles: config.roles(),
            config: self.freeze_config(config)?,
            environment: environment
                .map(|(name, value)| (name.as_str().to_owned(), value.get_ref().frozen()))
                .collect(),
            flags: self.freeze_flags(config, &migrations)?,
            migrations,
            source: git::source(config.directory()),
            created_by: by.to_owned(),
            created_at: Timestamp::now(),
        })
    }

    fn freeze_config(&self, config: &Config) -> Result<BTreeMap<String, Digest>, Failure> {
        let mut frozen = BTreeMap::new();
        for file in &config.document().config.files {
            let inner = file.get_ref().as_path();
            let bytes = config_file(&config.resolve(inner))
                .map_err(|failure| failure.at(config.show(file.span())))?;
            frozen.insert(inner.to_string_lossy().into_owned(), self.put(&bytes)?);
        }
        Ok(frozen)
    }

    fn freeze_flags(
        &self,
        config: &Config,
        migrations: &[ReleaseMigration],
    ) -> Result<FlagSet, Failure> {
        let services = at_services(config, migrations)?;
        let Some(flags) = &config.document().flags else {
            return Ok(FlagSet { services, ..FlagSet::default() });
        };
        let path = config.resolve(flags.file.get_ref().as_path());
        let bytes =
            config_file(&path).map_err(|failure| failure.at(config.show(flags.file.span())))?;
        flag_set(&path, &bytes)?;
        let versions = migrations.iter().map(|one| one.migration.version).collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (text, wishes) = wished(config, text, &versions)?;
        let set = flag_set(&path, text.as_bytes())?;
        self.put(text.as_bytes())?;
        Ok(FlagSet { wishes, services, ..set })
    }

    fn freeze_migrations(&self, config: &Config) -> Result<Vec<ReleaseMigration>, Failure> {
        let Some(folder) = Folder::read(config)? else { return Ok(Vec::new()) };
        let freeze = |script: ripcord_core::schema::MigrationScript| {
            self.put(script.up.as_bytes())?;
            let down = script.down.map(|down| self.put(down.as_bytes())).transpose()?;
            Ok(ReleaseMigration { migration: script.migration, down, origin: script.origin })
        };
        folder.into_scripts().into_iter().map(freeze).collect()
    }
}

/// Reads a file that a release takes along.
pub(crate) fn config_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let wrong = |why: String| {
        Failure::new(Code::ConfigFileUnusable, format!("{} {why}", path.display()))
            .hint("the path is relative to the configuration file of Ripcord")
    };
    let file = File::open(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let metadata = file.metadata().map_err(|error| unusable(path, &error))?;
    if !metadata.is_file() {
        return Err(wrong("is not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(CONFIG_FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > CONFIG_FILE_BYTES_MAX {
        return Err(wrong(format!("has more than {} MiB", CONFIG_FILE_BYTES_MAX >> 20)));
    }
    Ok(bytes)
}
