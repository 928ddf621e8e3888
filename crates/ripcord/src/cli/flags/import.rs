//! `ripcord flags import`.

use crate::cli::context::Context;
use crate::cli::flags::change::{Reason, change};
use crate::failure::{Code, Failure};
use crate::flags::Act;
use clap::ValueEnum;
use std::path::PathBuf;

/// The largest document.
const BYTES_MAX: u64 = 16 << 20;

/// Put a whole document in force instead of the flags there are
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The document
    file: PathBuf,
    /// Its format
    #[arg(long, value_enum, default_value = "flagd", value_name = "FORMAT")]
    from: Format,
    #[command(flatten)]
    reason: Reason,
}

/// Where a document comes from.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// flagd's own format, taken over to the byte
    Flagd,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let name = args.file.display();
    let wrong = |why: String| Failure::new(Code::FlagsInvalid, format!("{name}: {why}"));
    let size = std::fs::metadata(&args.file).map_err(|error| wrong(error.to_string()))?.len();
    if size > BYTES_MAX {
        return Err(wrong(format!("{size} bytes are too many for a flags document")));
    }
    let bytes = std::fs::read(&args.file).map_err(|error| wrong(error.to_string()))?;
    let document = match args.from {
        Format::Flagd => {
            crate::store::flag_set(&args.file, &bytes)?;
            String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?
        }
    };
    change(Act::Import { document }, args.reason, context)
}
