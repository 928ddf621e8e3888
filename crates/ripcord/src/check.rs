//! What `ripcord check` looks at: everything that a release would take along, without freezing
//! or starting anything. A person reads the findings as a table, a script as JSON.

use crate::config::{Config, EnvironmentSettings, Variable};
use crate::failure::{Code, Failure};
use crate::store::{Folder, config_file, flag_set, inspect};
use ripcord_core::schema::{Direction, DownReview, SchemaPreview};
use ripcord_databases::formats::MigrationSet;
use ripcord_databases::migrations::MigrationFolder;
use ripcord_databases::review::{Choice, review};
use ripcord_databases::sqlite::{SqliteDatabase, SqliteOptions};
use ripcord_engine::Database;
use serde::Serialize;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How a thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// Legal, and often a mistake.
    Warning,
    /// A deploy would be refused.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// How it was found.
    pub(crate) level: Level,
    /// What was looked at.
    pub(crate) subject: String,
    /// What was found, in one line.
    pub(crate) message: String,
    /// The whole failure, with code and place, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Failure>,
}

/// Looks at everything and tells all that is wrong, not just the first.
///
/// A configuration that cannot be read is a failure by itself: nothing else can be looked at.
pub(crate) fn check(path: &Path) -> Result<Vec<Finding>, Failure> {
    let config = Config::load(path)?;
    let environments = config.environments()?;
    let names: Vec<&str> = environments.iter().map(|found| found.name.as_str()).collect();
    let service = config.document().service.as_str();
    let mut findings = Vec::new();
    findings.push(ok("configuration", format!("{service} in {}", names.join(", "))));
    artifact(&config, &mut findings);
    config_files(&config, &mut findings);
    secrets(&config, &mut findings);
    flags(&config, &mut findings);
    migration_folder(&config, &mut findings);
    for environment in &environments {
        addresses(environment, &mut findings);
    }
    Ok(findings)
}

fn ok(subject: &str, message: String) -> Finding {
    Finding { level: Level::Ok, subject: subject.to_owned(), message, failure: None }
}

fn warning(subject: &str, message: String) -> Finding {
    Finding { level: Level::Warning, subject: subject.to_owned(), message, failure: None }
}

fn error(subject: &str, failure: Failure) -> Finding {
    let hints = failure.hints.join("; ");
    let hints = if hints.is_empty() { hints } else { format!(" ({hints})") };
    let message = format!("{}: {}{hints}", failure.code, failure.error);
    Finding { level: Level::Error, subject: subject.to_owned(), message, failure: Some(failure) }
}

fn artifact(config: &Config, findings: &mut Vec<Finding>) {
    findings.push(match inspect(config) {
        Ok(found) => {
            let size = found.bytes.div_ceil(1 << 10);
            ok("artifact", format!("{} entries, {size} KiB", found.count()))
        }
        Err(failure) => error("artifact", failure),
    });
}

fn config_files(config: &Config, findings: &mut Vec<Finding>) {
    for file in &config.document().config.files {
        let inner = file.get_ref().as_path();
        let subject = format!("config {}", inner.display());
        findings.push(match config_file(&config.resolve(inner)) {
            Ok(bytes) => ok(&subject, format!("{} bytes", bytes.len())),
            Err(failure) => error(&subject, failure.at(config.show(file.span()))),
        });
    }
}

/// Secrets are not read, only looked for: they may exist on the production machine alone.
fn secrets(config: &Config, findings: &mut Vec<Finding>) {
    for (name, variable) in &config.document().config.environment {
        if let Variable::Secret(reference) = variable.get_ref() {
            findings.push(secret(&format!("secret {}", name.as_str()), reference));
        }
    }
    if let Some(url) = config.document().database.as_ref().and_then(|one| one.url.as_ref())
        && let Variable::Secret(reference) = url.get_ref()
    {
        findings.push(secret("secret of the database", reference));
    }
    for (name, source) in &config.document().metrics.sources {
        for reference in source.get_ref().secrets() {
            findings.push(secret(&format!("secret of source {}", name.as_str()), reference));
        }
    }
    for environment in config.document().environments.get_ref().values() {
        for (name, service) in &environment.flag_services {
            for reference in service.get_ref().secrets() {
                let subject = format!("secret of flag service {}", name.as_str());
                findings.push(secret(&subject, reference));
            }
        }
    }
}

fn secret(subject: &str, reference: &str) -> Finding {
    match reference.split_once(':') {
        Some(("file", path)) => match fs::metadata(path) {
            Ok(found) if found.permissions().mode() & 0o044 != 0 => {
                warning(subject, format!("{path} can be read by others; `chmod 600` it"))
            }
            Ok(_) => ok(subject, format!("{path} is there")),
            Err(why) => warning(subject, format!("{path} on this machine: {why}")),
        },
        Some((_, variable)) if std::env::var_os(variable).is_none() => {
            warning(subject, format!("the variable {variable} is not set here"))
        }
        _ => ok(subject, format!("{reference} is there")),
    }
}

fn flags(config: &Config, findings: &mut Vec<Finding>) {
    let Some(flags) = &config.document().flags else { return };
    let path = config.resolve(flags.file.get_ref().as_path());
    let set = config_file(&path)
        .map_err(|failure| failure.at(config.show(flags.file.span())))
        .and_then(|bytes| flag_set(&path, &bytes));
    findings.push(match set {
        Ok(set) => {
            let shown = set.defaults.iter().map(|(flag, variant)| format!("{flag} {variant}"));
            ok(
                "flags",
                format!("{} flags: {}", set.defaults.len(), shown.collect::<Vec<_>>().join(", ")),
            )
        }
        Err(failure) => error("flags", failure),
    });
}

fn migration_folder(config: &Config, findings: &mut Vec<Finding>) {
    match Folder::read(config) {
        Ok(None) => {}
        Err(failure) => findings.push(error("migrations", failure)),
        Ok(Some(Folder::Sqlite(folder))) => {
            for warned in &folder.warnings {
                findings.push(warning("migrations", warned.to_string()));
            }
            match rehearse(&folder) {
                Ok(preview) => reviews(&preview, findings),
                Err(failure) => findings.push(error("migrations", failure)),
            }
        }
        Ok(Some(Folder::Postgres(set, _))) => review_set(&set, findings),
    }
}

/// What the files say by themselves: nothing is run, and no server is asked.
fn review_set(set: &MigrationSet, findings: &mut Vec<Finding>) {
    for problem in &set.problems {
        let what = format!("{}:{}: {}", problem.path.display(), problem.line, problem.message);
        findings.push(warning("migrations", what));
    }
    for migration in review(set, &Choice::default()).migrations {
        let subject = format!("migration {} {}", migration.version, migration.name);
        let breaks = migration
            .up
            .statements
            .iter()
            .find_map(|statement| Some((statement.line, statement.breaks_old_code.as_ref()?)));
        if let Some((line, why)) = breaks {
            let what = format!("line {line}: the release before does not survive it: {why}");
            findings.push(warning(&subject, what));
        }
        findings.push(match migration.down {
            Some(_) => ok(&subject, "there is a down script".to_owned()),
            None => ok(&subject, "no down script; one is derived".to_owned()),
        });
    }
}

/// Runs all migrations on an empty database that is thrown away.
fn rehearse(folder: &MigrationFolder) -> Result<SchemaPreview, Failure> {
    let scratch = tempfile::tempdir().map_err(|error| {
        Failure::new(Code::CannotWrite, format!("no temporary directory: {error}"))
    })?;
    let database = SqliteDatabase::new(SqliteOptions {
        path: scratch.path().join("empty.db"),
        backups: scratch.path().join("backups"),
        environment: "check".to_owned(),
    });
    let preview = database.preview(Direction::Up, &folder.scripts);
    preview.map_err(|error| Failure::new(Code::MigrationRefused, error.to_string()))
}

fn reviews(preview: &SchemaPreview, findings: &mut Vec<Finding>) {
    for review in &preview.reviews {
        let subject = format!("migration {}", review.migration);
        let breaks = review
            .statements
            .iter()
            .find_map(|statement| Some((statement.line, statement.breaks_old_code.as_ref()?)));
        if let Some((line, why)) = breaks {
            let what = format!("line {line}: the release before does not survive it: {why}");
            findings.push(warning(&subject, what));
        }
        findings.push(match &review.down {
            DownReview::Exact => ok(&subject, "the down script brings everything back".to_owned()),
            DownReview::Untried => ok(&subject, "there is a down script".to_owned()),
            DownReview::Missing => ok(&subject, "no down script; one is derived".to_owned()),
            DownReview::Differs(places) => {
                let what = format!("the down script leaves a difference in {}", places.join(", "));
                warning(&subject, what)
            }
            DownReview::Fails(why) => {
                warning(&subject, format!("the down script fails, one is derived: {why}"))
            }
        });
    }
}

fn addresses(environment: &EnvironmentSettings, findings: &mut Vec<Finding>) {
    let subject = format!("environment {}", environment.name);
    let public = environment.preview.filter(|address| !address.ip().is_loopback());
    findings.push(match public {
        Some(address) => {
            warning(&subject, format!("preview {address} shows unproven releases to the network"))
        }
        None => ok(&subject, format!("listens on {}", environment.listen)),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::OpenOptionsExt;

    const CONFIG: &str = r#"
service = "shop"
artifact = { path = "bin", command = ["./shop"] }
flags = { file = "flags.json" }
[config]
files = ["shop.json"]
environment = { KEY = { secret = "file:/nonexistent/key" } }
[database]
engine = "sqlite"
path = "shop.db"
migrations = "migrations"
[environments.production]
listen = "127.0.0.1:8080"
"#;

    fn project() -> tempfile::TempDir {
        let project = tempfile::tempdir().unwrap();
        let write = |name: &str, mode: u32, text: &str| {
            let path = project.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file =
                fs::OpenOptions::new().write(true).create(true).mode(mode).open(path).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        };
        write("ripcord.toml", 0o644, CONFIG);
        write("bin/shop", 0o755, "#!/bin/sh\n");
        write("shop.json", 0o644, "{}");
        let flag = r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"}}}"#;
        write("flags.json", 0o644, flag);
        write("migrations/001_first.up.sql", 0o644, "CREATE TABLE a (b TEXT);\n");
        write("migrations/001_first.down.sql", 0o644, "DROP TABLE a;\n");
        project
    }

    fn levels(project: &tempfile::TempDir) -> Vec<(String, Level)> {
        let findings = check(&project.path().join("ripcord.toml")).unwrap();
        findings.into_iter().map(|finding| (finding.subject, finding.level)).collect()
    }

    #[test]
    fn a_good_project_and_a_secret_of_another_machine() {
        let found = levels(&project());
        let bad: Vec<_> = found.iter().filter(|(_, level)| *level != Level::Ok).collect();
        assert_eq!(bad, [&("secret KEY".to_owned(), Level::Warning)], "{found:?}");
        for subject in ["artifact", "config shop.json", "flags", "migration 1 first"] {
            assert!(found.iter().any(|(name, _)| name == subject), "{subject} in {found:?}");
        }
    }

    #[test]
    fn tells_all_that_is_wrong() {
        let project = project();
        let path = |name: &str| project.path().join(name);
        fs::remove_file(path("shop.json")).unwrap();
        fs::write(path("flags.json"), "nope").unwrap();
        fs::set_permissions(path("bin/shop"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(path("migrations/002_bad.up.sql"), "CREATE TABEL c (d TEXT);\n").unwrap();
        let found = levels(&project);
        for subject in ["artifact", "config shop.json", "flags", "migrations"] {
            assert!(found.contains(&(subject.to_owned(), Level::Error)), "{subject} in {found:?}");
        }
    }

    #[test]
    fn a_secret_that_others_can_read() {
        let project = project();
        let key = project.path().join("key");
        fs::write(&key, "k").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let config = CONFIG.replace("/nonexistent/key", &key.display().to_string());
        fs::write(project.path().join("ripcord.toml"), config).unwrap();
        let secret = ("secret KEY".to_owned(), Level::Warning);
        assert!(levels(&project).contains(&secret));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(!levels(&project).contains(&secret));
    }

    #[test]
    fn secrets_of_sources_are_looked_for_too() {
        let project = project();
        let source = "[metrics.sources.p]\ntype = \"prometheus\"\nurl = \"http://127.0.0.1:9\"\n\
                      bearer = { secret = \"file:/nonexistent/a\" }\n\
                      headers = { X = { secret = \"env:RIPCORD_NO_SUCH_VARIABLE\" }, Y = \"z\" }\n";
        fs::write(project.path().join("ripcord.toml"), format!("{CONFIG}{source}")).unwrap();
        let warned = ("secret of source p".to_owned(), Level::Warning);
        assert_eq!(levels(&project).iter().filter(|found| **found == warned).count(), 2);
    }

    #[test]
    fn the_releases_of_the_example_are_sound() {
        let releases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop/releases");
        let mut count = 0;
        for release in fs::read_dir(releases).unwrap() {
            let release = release.unwrap().path();
            let project = project();
            fs::remove_dir_all(project.path().join("migrations")).unwrap();
            fs::create_dir(project.path().join("migrations")).unwrap();
            for name in ["ripcord.toml", "shop.json", "flags.json"] {
                fs::copy(release.join(name), project.path().join(name)).unwrap();
            }
            for script in fs::read_dir(release.join("migrations")).unwrap() {
                let script = script.unwrap();
                let target = project.path().join("migrations").join(script.file_name());
                fs::copy(script.path(), target).unwrap();
            }
            let found = levels(&project);
            let errors: Vec<_> = found.iter().filter(|(_, l)| *l == Level::Error).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", release.display());
            count += 1;
        }
        assert!(count >= 8, "only {count} releases");
    }
}
