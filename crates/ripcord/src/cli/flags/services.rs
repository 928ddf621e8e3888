//! `ripcord flags services`.

use crate::cli::context::Context;
use crate::controller::ServiceFlagView;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::flag::FlagImage;
use ripcord_core::model::ReleaseId;

/// List a release's flags at `LaunchDarkly` and `ConfigCat`: before it, with it, now, and the way back
///
/// Nothing is changed. The request that takes a flag back is printed without any secret, for people
/// to send.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release; default: the one in service
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let release = args.release.as_deref().map(ReleaseId::from);
    let found = context.client()?.service_flags(&context.environment()?, release.as_ref())?;
    if context.json {
        let text = serde_json::to_string(&found)
            .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
        terminal::print(&text);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    terminal::print(&terminal::table(&["flag", "release", "before", "with it", "now"], &rows));
    for view in &found {
        if let (Some(what), Some(request)) = (&view.way_back, &view.request) {
            terminal::print(&format!("\n{what}:\n{request}"));
        }
        if let Err(why) = &view.now {
            terminal::say(&format!("what {} is now is not known: {why}", view.flag));
        }
    }
    Ok(())
}

fn row(view: &ServiceFlagView) -> Vec<String> {
    let recorded = |image: &Option<FlagImage>| {
        image.as_ref().map_or("not recorded", FlagImage::in_a_word).to_owned()
    };
    let now = view.now.as_ref().map_or("not known", FlagImage::in_a_word).to_owned();
    let (flag, release) = (view.flag.to_string(), view.release.to_string());
    vec![flag, release, recorded(&view.before), recorded(&view.after), now]
}
