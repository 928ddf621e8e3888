//! `ripcord flags eval`.

use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use jiff::Timestamp;
use ripcord_flags::{Context as Attributes, FlagSet};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Evaluate a flag for a user, as the flags server would
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key of the flag
    flag: String,
    /// Who asks
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// What is known of them, as a JSON object
    #[arg(long, default_value = "{}", value_name = "JSON")]
    attributes: String,
    /// Evaluate a document of a file, without a controller
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let text = match &args.file {
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            Failure::new(Code::FlagsInvalid, format!("{}: {error}", path.display()))
        })?,
        None => context.client()?.flags(&context.environment()?)?.in_force,
    };
    let usage = |what: String| Failure::new(Code::Usage, what);
    let mut attributes: Value = serde_json::from_str(&args.attributes)
        .map_err(|error| usage(format!("the attributes are not JSON: {error}")))?;
    if let (Some(user), Some(attributes)) = (&args.user, attributes.as_object_mut()) {
        attributes.insert("targetingKey".to_owned(), json!(user));
    }
    let attributes = Attributes::new(&attributes, Timestamp::now().as_second())
        .map_err(|error| usage(error.to_string()))?;
    let set = FlagSet::parse(&text)
        .map_err(|error| Failure::new(Code::FlagsInvalid, error.to_string()))?;
    let found = set.evaluate(&args.flag, &attributes);
    let error = found.error.as_ref().map(ripcord_flags::EvaluationError::code);
    if context.json {
        let value = found.value.and_then(|value| serde_json::from_str::<Value>(value).ok());
        let shown = json!({
            "flag": args.flag,
            "value": value,
            "variant": found.variant,
            "reason": found.reason.as_str(),
            "error": error,
        });
        terminal::print(&shown.to_string());
        return Ok(());
    }
    if let Some(error) = error {
        return Err(Failure::new(Code::UnknownFlag, format!("flag {}: {error}", args.flag))
            .hint("`ripcord flags list` shows all"));
    }
    let value = found.value.unwrap_or("left to the code");
    terminal::print(value);
    let variant = found.variant.unwrap_or("none");
    terminal::say(&format!("variant {variant}, because {}", found.reason.as_str()));
    Ok(())
}
