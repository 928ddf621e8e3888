//! `ripcord release create|list|show|diff`.

use crate::cli::context::{Context, release_id};
use crate::config::Config;
use crate::failure::{Code, Failure};
use crate::store::Store;
use crate::terminal;
use clap::Subcommand;
use ripcord_core::model::Release;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Freeze and look at releases: artifact, configuration, migrations and flags, as one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Freeze what the configuration names into the next release
    Create {
        /// Also write the release's manifest into this directory, to be committed
        #[arg(long, value_name = "DIR")]
        manifest: Option<PathBuf>,
        /// Also tag the present git commit with the release's name
        #[arg(long)]
        tag: bool,
    },
    /// List all releases
    List,
    /// Show one release
    Show {
        /// Which, such as v3
        release: String,
    },
    /// Show what differs between two releases
    Diff {
        /// The older
        before: String,
        /// The newer
        after: String,
    },
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    match args.verb {
        Verb::Create { manifest, tag } => create(manifest, tag, context),
        Verb::List => list(context),
        Verb::Show { release } => show(&release, context),
        Verb::Diff { before, after } => diff(&before, &after, context),
    }
}

fn create(manifest: Option<PathBuf>, tag: bool, context: &Context) -> Result<(), Failure> {
    let config = Config::load(&context.config)?;
    let client = context.client()?;
    let store = Store::open(&context.state())?;
    let frozen = store.freeze(&config, &context.by)?;
    let created = client.create_release(frozen)?;
    let release = &created.release;
    if let Some(directory) = manifest {
        let path = crate::store::write_manifest(release, &directory)?;
        terminal::say(&format!("manifest: {}", path.display()));
    }
    if tag {
        crate::store::git_tag(config.directory(), release)?;
    }
    if context.json {
        terminal::print(&to_json(release)?);
    } else {
        let what = if created.new { "frozen" } else { "has this content already" };
        terminal::say(&format!("{} {what}", release.id));
        terminal::print(release.id.as_str());
    }
    Ok(())
}

fn list(context: &Context) -> Result<(), Failure> {
    let releases = context.client()?.releases()?;
    if context.json {
        terminal::print(&to_json(&releases)?);
        return Ok(());
    }
    let row = |release: &Release| {
        vec![
            release.id.to_string(),
            release.created_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            release.created_by.clone(),
            release.artifact.short().to_owned(),
            release.migrations.last().map_or("-".into(), |m| m.migration.to_string()),
            release.source.commit.as_deref().map_or("-".into(), |commit| {
                let short: String = commit.chars().take(10).collect();
                if release.source.dirty { format!("{short}+") } else { short }
            }),
        ]
    };
    let rows: Vec<Vec<String>> = releases.iter().map(row).collect();
    let head = ["release", "frozen", "by", "artifact", "newest migration", "commit"];
    terminal::print(&terminal::table(&head, &rows));
    Ok(())
}

fn show(release: &str, context: &Context) -> Result<(), Failure> {
    let release = context.client()?.release(&release_id(release)?)?;
    terminal::print(&to_json(&release)?);
    Ok(())
}

fn diff(before: &str, after: &str, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let before = facts(&client.release(&release_id(before)?)?);
    let after = facts(&client.release(&release_id(after)?)?);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut rows = Vec::new();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        if old != new {
            let cell = |value: Option<&String>| value.cloned().unwrap_or_else(|| "-".to_owned());
            rows.push(vec![name.clone(), cell(old), cell(new)]);
        }
    }
    if context.json {
        terminal::print(&to_json(&rows)?);
    } else if rows.is_empty() {
        terminal::say("no difference");
    } else {
        terminal::print(&terminal::table(&["what", "before", "after"], &rows));
    }
    Ok(())
}

/// Everything that can differ between two releases, by name.
fn facts(release: &Release) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::from([
        ("artifact".to_owned(), release.artifact.short().to_owned()),
        ("command".to_owned(), release.command.join(" ")),
    ]);
    for (name, digest) in &release.config {
        facts.insert(format!("config {name}"), digest.short().to_owned());
    }
    for (name, value) in &release.environment {
        facts.insert(format!("environment {name}"), value.clone());
    }
    for migration in &release.migrations {
        let name = format!("migration {}", migration.migration);
        facts.insert(name, migration.migration.checksum.short().to_owned());
    }
    for (flag, variant) in &release.flags.defaults {
        facts.insert(format!("flag {flag}"), variant.clone());
    }
    facts
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::new(Code::Bug, error.to_string()))
}
