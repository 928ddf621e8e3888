//! `ripcord db kept`.

use super::place::Address;
use super::trouble::failure;
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use clap::Subcommand;
use ripcord_databases::postgres::{
    Limits, Piece, Purge, Sample, Session, copy_out, pieces, purge, sample,
};
use serde::Serialize;
use std::process::ExitCode;

/// What was set aside when migrations ran or were taken back: list it, look at it, copy it out, or
/// destroy it for good
///
/// `ripcord db down` puts back by itself what its migrations destroyed; these verbs are for
/// people. Everything stands in the schema `ripcord` of the database itself, which only its owner
/// may look into.
///
/// Exit codes: 0 done; 2 usage; 6 the database cannot be reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the pieces, oldest first
    List(List),
    /// Show the first rows of a piece
    Show(Show),
    /// Copy a piece into a new table
    Restore(Restore),
    /// Destroy rows for good, and record that; a migration that is taken back later lacks them
    Purge(PurgeArgs),
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    address: Address,
    /// List also what was purged
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    address: Address,
    /// The number of the piece
    #[arg(value_name = "NUMBER")]
    id: i64,
    /// How many rows
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rows: u32,
}

#[derive(Debug, clap::Args)]
struct Restore {
    #[command(flatten)]
    address: Address,
    /// The number of the piece
    #[arg(value_name = "NUMBER")]
    id: i64,
    /// The table to make, as TABLE or SCHEMA.TABLE
    #[arg(long, value_name = "TABLE")]
    into: String,
}

#[derive(Debug, clap::Args)]
struct PurgeArgs {
    #[command(flatten)]
    address: Address,
    /// The number of the piece [default: all pieces; then --key is needed]
    #[arg(value_name = "NUMBER", required_unless_present = "key")]
    id: Option<i64>,
    /// Only rows in which this column has, or had, this value; may be repeated, all must hold
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = pair)]
    key: Vec<(String, String)>,
    /// Why, for the record; the values by which rows were found are not recorded
    #[arg(long, value_name = "TEXT")]
    why: String,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, value)) if !column.is_empty() => Ok((column.to_owned(), value.to_owned())),
        _ => Err("write COLUMN=VALUE".to_owned()),
    }
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    match &args.verb {
        Verb::List(args) => list(args, context)?,
        Verb::Show(args) => show(args, context)?,
        Verb::Restore(args) => restore(args, context)?,
        Verb::Purge(args) => destroy(args, context)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(args: &List, context: &Context) -> Result<(), Failure> {
    let mut connection = args.address.connect("kept")?;
    let mut all = pieces(&mut connection).map_err(|error| failure(&error))?;
    all.retain(|piece| args.all || piece.purged_at.is_none());
    if context.json {
        return print(&Document { version: 1, pieces: &all });
    }
    if all.is_empty() {
        terminal::print("nothing is kept");
        return Ok(());
    }
    let row = |piece: &Piece| {
        let fate = match (&piece.purged_at, &piece.restored_at) {
            (Some(at), _) => format!("purged {}", seconds(at)),
            (None, Some(at)) => format!("put back {}", seconds(at)),
            (None, None) => String::new(),
        };
        vec![
            piece.id.to_string(),
            piece.version.clone(),
            piece.relation.clone(),
            piece.what.clone(),
            piece.rows.to_string(),
            size(piece.bytes),
            seconds(&piece.kept_at).to_owned(),
            fate,
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let head = ["number", "version", "from", "what", "rows", "size", "kept", ""];
    terminal::print(&terminal::table(&head, &rows));
    Ok(())
}

/// What machines read.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    pieces: &'a [Piece],
}

fn show(args: &Show, context: &Context) -> Result<(), Failure> {
    let mut connection = args.address.connect("kept")?;
    let found = sample(&mut connection, args.id, args.rows).map_err(|error| failure(&error))?;
    let Sample { columns, rows } = found.ok_or_else(|| unknown(args.id))?;
    if context.json {
        return print(&Sample { columns, rows });
    }
    let cell = |value: &Option<String>| match value {
        // A value may hold what would move the cursor.
        Some(text) => text.escape_debug().to_string(),
        None => "NULL".to_owned(),
    };
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let head: Vec<&str> = columns.iter().map(String::as_str).collect();
    terminal::print(&terminal::table(&head, &rows));
    Ok(())
}

fn restore(args: &Restore, context: &Context) -> Result<(), Failure> {
    let mut session = session(&args.address)?;
    let rows = copy_out(&mut session, args.id, &args.into).map_err(|error| failure(&error))?;
    let rows = rows.ok_or_else(|| unknown(args.id))?;
    if context.json {
        return print(&serde_json::json!({ "version": 1, "table": args.into, "rows": rows }));
    }
    terminal::print(&format!("{} holds {rows} rows now", args.into));
    Ok(())
}

fn destroy(args: &PurgeArgs, context: &Context) -> Result<(), Failure> {
    let mut session = session(&args.address)?;
    let wanted = Purge { id: args.id, key: &args.key, by: &context.by, why: &args.why };
    let done = purge(&mut session, &wanted).map_err(|error| failure(&error))?;
    if let Some(id) = args.id.filter(|_| done.is_empty() && args.key.is_empty()) {
        return Err(unknown(id));
    }
    if context.json {
        return print(&serde_json::json!({ "version": 1, "purged": done }));
    }
    let total: u64 = done.iter().map(|(_, rows)| rows).sum();
    terminal::print(&format!("{total} rows of {} pieces are gone for good", done.len()));
    Ok(())
}

fn session(address: &Address) -> Result<Session, Failure> {
    Session::open(&address.url, "ripcord", &Limits::default()).map_err(|error| failure(&error))
}

fn unknown(id: i64) -> Failure {
    Failure::new(Code::UnknownKept, format!("no rows are kept under the number {id}"))
        .hint("`ripcord db kept list` lists what is kept")
}

fn print(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(Code::Bug, format!("the answer is no JSON: {error}")))?;
    terminal::print(&json);
    Ok(())
}

/// A time without its fractions.
fn seconds(at: &str) -> &str {
    at.split_once('.').map_or(at, |(seconds, _)| seconds)
}

/// A size as people read it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        10_485_760..10_737_418_240 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}
