//! The command line: `shop [serve] --schema N` and `shop load ...`.

use std::io::Write as _;

use tokio::runtime::Runtime;

use crate::load::{Baseline, Load, LoadOptions, verify};
use crate::service::{Server, stop_signal};
use crate::{Place, Schema, Settings, ShopError};

const HELP: &str = "\
shop [serve] --schema 1|2|3
    Serves on 127.0.0.1. Settings come from the environment: PORT, and DATABASE_PATH (a file)
    or DATABASE_URL (postgres://...); optional are CONFIG_FILE, FLAGS_FILE, SHOP_RELEASE and FAULT_LOG.
    Flags come from the server at OFREP_ENDPOINT, asked with OFREP_HEADERS, where that is set.

shop load --url http://HOST:PORT [--rps 50] [--seconds 10] [--timeout-ms 10000] [--seed 1]
          [--fault-log FILE] [--record FILE] [--database FILE --expect 1|2|3]
    Sends steady mixed load and prints a report as JSON. With --database it takes a baseline of
    all rows before, and afterwards holds the database against what clients were told, as a shop
    at schema --expect has it.
";

/// Runs the command that `args` names; they do not include the program's own name.
///
/// # Errors
/// When the arguments or settings are wrong, or the command fails.
pub fn main_with(args: impl Iterator<Item = String>) -> Result<(), ShopError> {
    let mut args = args.peekable();
    let command = args.next_if(|first| !first.starts_with("--"));
    match command.as_deref() {
        None | Some("serve") => serve(&mut args),
        Some("load") => load(&mut args),
        Some("help") => print(HELP),
        Some(other) => Err(ShopError::Usage(format!("there is no command {other:?}"))),
    }
}

fn serve(args: &mut impl Iterator<Item = String>) -> Result<(), ShopError> {
    let mut schema = None;
    while let Some(option) = args.next() {
        match option.as_str() {
            "--schema" => schema = Some(Schema::try_from(number::<u8>(&option, args)?)?),
            "--help" => return print(HELP),
            other => return Err(ShopError::Usage(format!("serve has no option {other:?}"))),
        }
    }
    let schema = schema.ok_or(ShopError::Usage("serve needs --schema".to_owned()))?;
    let settings = Settings::from_environment(schema, |name| std::env::var(name).ok())?;
    runtime()?.block_on(async {
        // Asked for before binding: a signal must find its handler as soon as there is a port.
        let stop = stop_signal()?;
        Server::bind(settings).await?.run(stop).await
    })
}

fn load(args: &mut impl Iterator<Item = String>) -> Result<(), ShopError> {
    let mut options = LoadOptions::default();
    let (mut seconds, mut database, mut expect) = (10, None, None);
    while let Some(option) = args.next() {
        match option.as_str() {
            "--url" => options.url = value(&option, args)?,
            "--rps" => options.rps = number(&option, args)?,
            "--seconds" => seconds = number(&option, args)?,
            "--timeout-ms" => options.timeout_ms = number(&option, args)?,
            "--seed" => options.seed = number(&option, args)?,
            "--fault-log" => options.fault_log = Some(value(&option, args)?.into()),
            "--record" => options.record_file = Some(value(&option, args)?.into()),
            "--database" => database = Some(value(&option, args)?),
            "--expect" => expect = Some(Schema::try_from(number::<u8>(&option, args)?)?),
            "--help" => return print(HELP),
            other => return Err(ShopError::Usage(format!("load has no option {other:?}"))),
        }
    }
    let checked = match (database, expect) {
        (Some(path), Some(expect)) => {
            let place = Place::named(&path);
            Some((Baseline::take(&place)?, place, expect))
        }
        (None, None) => None,
        _ => {
            let problem = "--database and --expect go together".to_owned();
            return Err(ShopError::Usage(problem));
        }
    };
    options.seconds = Some(seconds);
    let load = Load::start(options)?;
    let (mut report, record) = load.wait()?;
    let data =
        checked.map(|(baseline, place, expect)| verify(place, &record, Some(&baseline), expect));
    // A line per request is for files; what a person reads is the sum.
    report.timeline.clear();
    let summary = serde_json::json!({ "load": report, "data": data.transpose()? });
    print(&format!("{summary:#}\n"))
}

fn value(option: &str, args: &mut impl Iterator<Item = String>) -> Result<String, ShopError> {
    args.next().ok_or_else(|| ShopError::Usage(format!("{option} needs a value")))
}

fn number<T: std::str::FromStr>(
    option: &str,
    args: &mut impl Iterator<Item = String>,
) -> Result<T, ShopError> {
    let text = value(option, args)?;
    let problem = || ShopError::Usage(format!("{option} {text:?} is not a number that fits"));
    text.parse().map_err(|_| problem())
}

fn runtime() -> Result<Runtime, ShopError> {
    Runtime::new().map_err(|source| ShopError::Runtime { what: "starting the runtime", source })
}

fn print(text: &str) -> Result<(), ShopError> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|source| ShopError::Runtime { what: "writing to stdout", source })
}
