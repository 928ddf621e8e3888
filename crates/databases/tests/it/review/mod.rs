//! Reviewing `PostgreSQL` migrations as files, through the public interface only.

mod axes;
mod garbage;
mod layouts;
mod rules;
mod server;
mod silence;

use ripcord_databases::formats::{self, Format, MigrationSet};
use ripcord_databases::review::{Choice, Review, review};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    // Nothing above the folder may tell which tool it is for.
    fs::create_dir(dir.path().join(".git")).unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn detected(dir: &Path) -> MigrationSet {
    formats::read(dir, formats::detect(dir).unwrap()).unwrap()
}

/// Reviews scripts in their order, as migrations of a tool that names them alike.
fn reviewed(format: Format, scripts: &[&str]) -> Review {
    let names: Vec<String> = (1..=scripts.len())
        .map(|number| match format {
            Format::Flyway => format!("V{number}__x.sql"),
            Format::Goose => format!("{number}_x.sql"),
            _ => format!("{number}_x.up.sql"),
        })
        .collect();
    let files: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(scripts.iter().copied()).collect();
    let dir = folder(&files);
    review(&formats::read(dir.path(), format).unwrap(), &Choice::default())
}
