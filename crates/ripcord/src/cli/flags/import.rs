//! `ripcord flags import`.

use crate::cli::context::Context;
use crate::cli::flags::change::{Reason, change};
use crate::failure::{Code, Failure};
use crate::flags::Act;
use crate::terminal;
use clap::ValueEnum;
use ripcord_flags::import::{Fidelity, Import, Imported, Source, import};
use serde_json::json;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The largest document.
const BYTES_MAX: u64 = 16 << 20;

/// Put a whole document in force instead of the flags there are, or turn another service's export
/// into one
///
/// With `--out` nothing is put in force and no controller is needed: the document is written into
/// a new file, and each flag of the export is said to be exact, approximate or refused, and why.
/// A percentage is computed otherwise by every service; the report says how many of 10,000 users
/// get another variant. Without `--out` an export is put in force only if no flag is refused.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The document or export
    file: PathBuf,
    /// Its format
    #[arg(long, value_enum, default_value = "flagd", value_name = "FORMAT")]
    from: Format,
    /// Write the document into this new file instead of putting it in force
    #[arg(long, value_name = "FLAGS")]
    out: Option<PathBuf>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", required_unless_present = "out")]
    reason: Option<String>,
}

/// Where a document comes from.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// flagd's own format, taken over to the byte
    Flagd,
    /// What `LaunchDarkly` answers at `/sdk/latest-all`
    Launchdarkly,
    /// A `config_v6.json` of `ConfigCat`
    Configcat,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let text = read(&args.file)?;
    let source = match args.from {
        Format::Flagd => None,
        Format::Launchdarkly => Some(Source::LaunchDarkly),
        Format::Configcat => Some(Source::ConfigCat),
    };
    let imported = source.map(|source| import(source, &text)).transpose();
    let imported = imported.map_err(|error| {
        Failure::new(Code::FlagsInvalid, format!("{}: {error}", args.file.display()))
    })?;
    let flags = imported.as_ref().map_or(&[][..], |imported| &imported.flags);
    let document = match &imported {
        Some(Import { document, .. }) => serde_json::to_string_pretty(document)
            .map_err(|error| Failure::new(Code::Bug, error.to_string()))?,
        None => text,
    };
    crate::store::flag_set(&args.file, document.as_bytes())?;
    if let Some(out) = &args.out {
        write_new(out, &document)?;
        report(flags, context);
        terminal::say(&format!("{} is written", out.display()));
        return Ok(());
    }
    let refused: Vec<&str> = refused(flags).map(|flag| flag.key.as_str()).collect();
    if !refused.is_empty() {
        let what = format!("{} flags cannot be imported: {}", refused.len(), refused.join(", "));
        return Err(Failure::new(Code::FlagsInvalid, what)
            .hint("write the others with --out FILE, which says why, and complete it by hand"));
    }
    change(Act::Import { document }, Reason::of(args.reason.unwrap_or_default()), context)
}

fn read(path: &Path) -> Result<String, Failure> {
    let wrong =
        |why: String| Failure::new(Code::FlagsInvalid, format!("{}: {why}", path.display()));
    let size = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > BYTES_MAX {
        return Err(wrong(format!("{size} bytes are too many for a flags document")));
    }
    fs::read_to_string(path).map_err(|error| wrong(error.to_string()))
}

/// Nothing that exists is written over.
fn write_new(path: &Path, document: &str) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::new(Code::CannotWrite, format!("cannot write {}: {error}", path.display()))
    };
    let mut file = fs::File::create_new(path).map_err(cannot)?;
    file.write_all(document.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(cannot)
}

fn refused(flags: &[Imported]) -> impl Iterator<Item = &Imported> {
    flags.iter().filter(|flag| flag.fidelity == Fidelity::Refused)
}

fn report(flags: &[Imported], context: &Context) {
    if context.json {
        terminal::print(&json!({ "flags": flags }).to_string());
        return;
    }
    let moved = |flag: &Imported| match flag.moved_per_10_000 {
        Some(moved) => format!("{}.{:02} %", moved / 100, moved % 100),
        None => String::new(),
    };
    let row = |flag: &Imported| {
        vec![flag.key.clone(), flag.fidelity.to_string(), moved(flag), flag.because.join("; ")]
    };
    let rows: Vec<Vec<String>> = flags.iter().map(row).collect();
    if !rows.is_empty() {
        terminal::print(&terminal::table(&["flag", "is", "users moved", "because"], &rows));
    }
}
