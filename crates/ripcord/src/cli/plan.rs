//! `ripcord plan deploy|rollback`: what would be done, and its price. Nothing is changed.

use crate::api::WishKind;
use crate::cli::context::{Context, release_id};
use crate::cli::deploy;
use crate::failure::{Code, Failure};
use crate::terminal;
use clap::Subcommand;
use ripcord_core::plan::by_hand;
use std::path::PathBuf;

/// Show what a deploy or rollback would do and what it would cost, without doing it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    /// Write the plan to a file that `ripcord apply` carries out
    #[arg(long, global = true, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Plan a deploy
    Deploy(deploy::Args),
    /// Plan a rollback
    Rollback {
        /// The release to return to [default: the last verified one before the present one]
        #[arg(long, value_name = "RELEASE")]
        to: Option<String>,
        /// Overwrite flags that somebody changed since; by default theirs stay as they are
        #[arg(long)]
        force_flags: bool,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let wish = match &args.what {
        What::Deploy(args) => deploy::wish(args, context, false)?,
        What::Rollback { to, force_flags } => WishKind::Rollback {
            to: to.as_deref().map(release_id).transpose()?,
            force_flags: *force_flags,
        },
    };
    let (client, environment) = (context.client()?, context.environment()?);
    let plan = client.plan(&environment, &wish)?;
    let text = serde_json::to_string_pretty(&plan)
        .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
    if let Some(path) = &args.out {
        std::fs::write(path, &text).map_err(|error| {
            Failure::new(Code::CannotWrite, format!("{}: {error}", path.display()))
        })?;
        terminal::say(&format!("carry it out with: ripcord apply {}", path.display()));
    }
    if context.json {
        terminal::print(&text);
    } else {
        let by_hand = by_hand(&plan, &client.status(&environment)?.authority);
        terminal::print(format!("{plan}{by_hand}").trim_end());
    }
    Ok(())
}
