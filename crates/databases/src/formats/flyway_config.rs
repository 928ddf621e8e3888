//! What Flyway's configuration says about scripts: `flyway.toml`, `flyway.conf`, and the
//! `<script>.conf` beside a script.

use crate::formats::ProblemKind;
use crate::formats::folder::Folder;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How far above the folder a configuration is looked for.
const PARENTS_MAX: usize = 4;

/// A configuration larger than this is not read.
const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// The settings that matter for reading scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FlywayConfig {
    /// Folders with scripts, when the configuration lies in the folder that was named.
    pub(super) locations: Vec<PathBuf>,
    pub(super) versioned: String,
    pub(super) undo: String,
    pub(super) repeatable: String,
    pub(super) baseline: String,
    pub(super) separator: String,
    pub(super) suffixes: Vec<String>,
    pub(super) replaces: bool,
    pub(super) opening: String,
    pub(super) closing: String,
    /// Values, by names in lower case.
    pub(super) placeholders: BTreeMap<String, String>,
    pub(super) table: String,
    pub(super) mixed: bool,
    pub(super) in_transaction: bool,
}

impl Default for FlywayConfig {
    fn default() -> FlywayConfig {
        FlywayConfig {
            locations: Vec::new(),
            versioned: "V".into(),
            undo: "U".into(),
            repeatable: "R".into(),
            baseline: "B".into(),
            separator: "__".into(),
            suffixes: vec![".sql".into()],
            replaces: true,
            opening: "${".into(),
            closing: "}".into(),
            placeholders: BTreeMap::new(),
            table: "flyway_schema_history".into(),
            mixed: false,
            in_transaction: true,
        }
    }
}

impl FlywayConfig {
    /// The configuration that holds for a folder: in it, or above it.
    pub(super) fn of(folder: &mut Folder) -> FlywayConfig {
        let mut config = FlywayConfig::default();
        let root = folder.root.clone();
        for (depth, place) in root.ancestors().take(PARENTS_MAX + 1).enumerate() {
            let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
            let mut found = false;
            for name in ["flyway.toml", "flyway.conf", "conf/flyway.conf"] {
                let path = place.join(name);
                let Some(settings) = settings(&path, folder) else { continue };
                found = true;
                for (key, value) in settings {
                    config.set(&key, &value);
                }
            }
            if found {
                // What a configuration above names are other folders than the one asked for.
                if depth > 0 {
                    config.locations.clear();
                }
                break;
            }
            if place.join(".git").exists() {
                break;
            }
        }
        config
    }

    fn set(&mut self, key: &str, value: &str) {
        let list = || value.split(',').map(|part| part.trim().to_owned());
        let value = value.to_owned();
        let yes = !value.eq_ignore_ascii_case("false");
        if let Some(name) = key.strip_prefix("placeholders.") {
            self.placeholders.insert(name.to_ascii_lowercase(), value);
            return;
        }
        match key {
            "locations" => {
                let local = list().filter_map(|place| {
                    let path = place.strip_prefix("filesystem:").unwrap_or(&place).to_owned();
                    (!path.contains(':')).then(|| PathBuf::from(path))
                });
                self.locations = local.collect();
            }
            "sqlMigrationPrefix" => self.versioned = value,
            "undoSqlMigrationPrefix" => self.undo = value,
            "repeatableSqlMigrationPrefix" => self.repeatable = value,
            "baselineMigrationPrefix" => self.baseline = value,
            "sqlMigrationSeparator" => self.separator = value,
            "sqlMigrationSuffixes" => self.suffixes = list().collect(),
            "placeholderReplacement" => self.replaces = yes,
            "placeholderPrefix" => self.opening = value,
            "placeholderSuffix" => self.closing = value,
            "table" => self.table = value,
            "mixed" => self.mixed = yes,
            "executeInTransaction" => self.in_transaction = yes,
            _ => {}
        }
    }
}

/// The settings of a file, without `flyway.` before their names. None when there is no file.
fn settings(path: &Path, folder: &mut Folder) -> Option<Vec<(String, String)>> {
    let meta = fs::metadata(path).ok()?;
    let shown = path.strip_prefix(&folder.root).unwrap_or(path).to_owned();
    let small = meta.is_file() && meta.len() <= SETTINGS_BYTES_MAX;
    let text = small.then(|| fs::read_to_string(path).ok()).flatten();
    let Some(text) = text else {
        folder.problem(ProblemKind::BadConfiguration, &shown, 1, "it is no text of at most 1 MiB");
        return None;
    };
    if path.extension().is_some_and(|extension| extension == "toml") {
        return match text.parse::<toml::Table>() {
            Ok(table) => {
                let mut found = Vec::new();
                if let Some(toml::Value::Table(own)) = table.get("flyway") {
                    flatten("", own, &mut found);
                }
                Some(found)
            }
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.map_or(0, |before| before.matches('\n').count()) + 1;
                let line = u32::try_from(line).unwrap_or(u32::MAX);
                let message = format!("it is not TOML: {}", error.message());
                folder.problem(ProblemKind::BadConfiguration, &shown, line, message);
                None
            }
        };
    }
    let own = properties(&text).into_iter();
    Some(
        own.filter_map(|(_, key, value)| Some((key.strip_prefix("flyway.")?.to_owned(), value)))
            .collect(),
    )
}

fn flatten(prefix: &str, table: &toml::Table, found: &mut Vec<(String, String)>) {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            toml::Value::String(text) => found.push((key, text.clone())),
            toml::Value::Boolean(yes) => found.push((key, yes.to_string())),
            toml::Value::Array(items) => {
                let items: Vec<&str> = items.iter().filter_map(toml::Value::as_str).collect();
                found.push((key, items.join(",")));
            }
            // Settings are one level deep, and placeholders two.
            toml::Value::Table(inner) if prefix.is_empty() => {
                flatten(&format!("{key}."), inner, found);
            }
            _ => {}
        }
    }
}

/// The lines of a properties file: line, key and value.
pub(super) fn properties(text: &str) -> Vec<(u32, String, String)> {
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1_u32..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        found.push((number, key.trim().to_owned(), value.trim().to_owned()));
    }
    found
}

/// What the configuration beside a script says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sidecar {
    pub(super) in_transaction: Option<bool>,
    pub(super) replaces: Option<bool>,
    /// Whether the script runs at all, as far as it is plain.
    pub(super) skipped: bool,
}

/// Reads `<script>.conf`; an unknown key is an error for Flyway too.
pub(super) fn sidecar(folder: &mut Folder, script: &Path) -> Sidecar {
    let mut name = script.as_os_str().to_owned();
    name.push(".conf");
    let path = PathBuf::from(name);
    let mut found = Sidecar::default();
    if !folder.has(&path) {
        return found;
    }
    let text = folder.text(&path).unwrap_or_default();
    for (line, key, value) in properties(&text) {
        let yes = !value.eq_ignore_ascii_case("false");
        match key.as_str() {
            "executeInTransaction" => found.in_transaction = Some(yes),
            "placeholderReplacement" => found.replaces = Some(yes),
            "shouldExecute" => found.skipped = !yes,
            "encoding" if value.eq_ignore_ascii_case("utf-8") => {}
            "encoding" => {
                let message = format!("only UTF-8 is read, not {value}");
                folder.problem(ProblemKind::BadConfiguration, &path, line, message);
            }
            _ => {
                let message = format!("«{key}» is no setting of a script; Flyway refuses it");
                folder.problem(ProblemKind::BadConfiguration, &path, line, message);
            }
        }
    }
    found
}
