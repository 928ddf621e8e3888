//! What all verbs share that change flags: a reason, one request, and the answer in words.

use crate::cli::context::Context;
use crate::controller::{FlagAnswer, FlagRequest};
use crate::failure::{Code, Failure};
use crate::flags::Act;
use crate::terminal;
use ripcord_core::flag::FlagSource;
use serde_json::json;

/// Why, which every change needs.
#[derive(Debug, clap::Args)]
pub(crate) struct Reason {
    /// Why, for the history
    #[arg(long, required = true, value_name = "TEXT")]
    reason: String,
}

impl Reason {
    /// A reason that was given elsewhere.
    pub(crate) fn of(reason: String) -> Reason {
        Reason { reason }
    }
}

/// Asks the controller for a change and says what came of it.
pub(crate) fn change(act: Act, reason: Reason, context: &Context) -> Result<(), Failure> {
    let request = request(act, reason, context);
    let answer = context.client()?.change_flags(&context.environment()?, &request)?;
    show(&answer, context)
}

/// A change as the controller takes it.
pub(crate) fn request(act: Act, reason: Reason, context: &Context) -> FlagRequest {
    let source = match &act {
        Act::Import { .. } => FlagSource::Import,
        Act::Revert { .. } => FlagSource::Revert,
        _ => FlagSource::Cli,
    };
    FlagRequest { act, by: context.by.clone(), reason: reason.reason, source }
}

/// Says what came of a change.
pub(crate) fn show(answer: &FlagAnswer, context: &Context) -> Result<(), Failure> {
    if context.json {
        let text = serde_json::to_string(&json!({
            "revision": answer.revision,
            "kept": answer.kept,
            "warnings": answer.warnings,
            "moved": answer.moved,
            "proposal": answer.proposal,
        }))
        .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
        terminal::print(&text);
    } else if let Some(proposal) = &answer.proposal {
        terminal::print(proposal.trim_end());
    }
    match (&answer.revision, &answer.proposal) {
        (Some(revision), _) => {
            terminal::say(&format!("revision {} is in force", revision.number));
            for line in &revision.changed {
                terminal::say(&format!("  {line}"));
            }
        }
        (None, Some(_)) => terminal::say(
            "nothing was changed: this environment lets Ripcord only propose; above is the \
             document to put in force",
        ),
        (None, None) => terminal::say("nothing was changed: it already was so"),
    }
    for line in answer.moved.iter().chain(&answer.warnings) {
        terminal::say(&format!("  {line}"));
    }
    for what in &answer.kept {
        terminal::say(&format!("  left as somebody made it since: {what} (--force overwrites it)"));
    }
    Ok(())
}
