//! `ripcord db snapshot`, and reading a schema from wherever it is.

use super::trouble::failure;
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_databases::postgres::{Catalogue, Connection, FORMAT, Kind, Limits, Scope, snapshot};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The largest file that is taken for a snapshot.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Write down what the schema of a `PostgreSQL` database consists of
///
/// Reads definitions only, never rows, in one transaction that changes nothing. Needs no privilege
/// beyond connecting; what it could not see is named. Two databases with the same schema give the
/// same snapshot and the same digest.
///
/// Exit codes: 0 done; 2 usage; 6 the database cannot be reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database: `postgresql://user@host:port/name`, or
    /// `postgresql:///name?host=/socket/directory`
    #[arg(long, env = "RIPCORD_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    url: String,
    /// Only this schema; may be repeated [default: all, and what belongs to none]
    #[arg(long, value_name = "NAME")]
    schema: Vec<String>,
    /// Write the snapshot into this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let scope = Scope { schemas: args.schema.clone() };
    let catalogue = read_database(&args.url, &scope)?;
    let json = serde_json::to_string_pretty(&catalogue)
        .map_err(|error| Failure::new(Code::Bug, format!("the snapshot is no JSON: {error}")))?;
    if let Some(path) = &args.out {
        fs::write(path, format!("{json}\n")).map_err(|error| {
            Failure::new(Code::CannotWrite, format!("cannot write {}: {error}", path.display()))
        })?;
    }
    if context.json {
        terminal::print(&json);
        return Ok(ExitCode::SUCCESS);
    }
    terminal::print(&summary(&catalogue));
    Ok(ExitCode::SUCCESS)
}

fn summary(catalogue: &Catalogue) -> String {
    let count = |kind: Kind| catalogue.objects.keys().filter(|name| name.kind == kind).count();
    let row = |kind: &Kind| vec![kind.to_string(), count(*kind).to_string()];
    let rows: Vec<Vec<String>> =
        Kind::ALL.iter().filter(|kind| count(**kind) > 0).map(row).collect();
    let table = terminal::table(&["kind", "objects"], &rows);
    let total = format!("\n\nPostgreSQL {}, schema {}", catalogue.server, catalogue.digest());
    let unseen = catalogue.unseen.iter().map(|unseen| format!("\nnot seen: {unseen}"));
    [table, total].into_iter().chain(unseen).collect()
}

/// The schema that a file or a database holds.
pub(super) fn read(place: &str, scope: &Scope) -> Result<Catalogue, Failure> {
    if place.starts_with("postgres://") || place.starts_with("postgresql://") {
        return read_database(place, scope);
    }
    read_file(Path::new(place))
}

fn read_database(url: &str, scope: &Scope) -> Result<Catalogue, Failure> {
    let mut connection =
        Connection::open(url, "snapshot", &Limits::default()).map_err(|error| failure(&error))?;
    snapshot(&mut connection, scope).map_err(|error| failure(&error))
}

fn read_file(path: &Path) -> Result<Catalogue, Failure> {
    let unusable = |why: String| {
        Failure::new(Code::Usage, format!("{} is no snapshot: {why}", path.display()))
            .hint("write one with `ripcord db snapshot --out FILE`, or name a database by its URL")
    };
    let size = fs::metadata(path).map_err(|error| unusable(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(unusable(format!("it has {size} bytes, more than {FILE_BYTES_MAX}")));
    }
    let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let format = value.get("format").and_then(serde_json::Value::as_u64);
    if format != Some(u64::from(FORMAT)) {
        let found = format.map_or_else(|| "none".to_owned(), |format| format.to_string());
        return Err(unusable(format!("its format is {found}, this version reads {FORMAT}")));
    }
    serde_json::from_value(value).map_err(|error| unusable(error.to_string()))
}
