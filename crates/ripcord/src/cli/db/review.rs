//! `ripcord db review`.

mod github;
mod markdown;
mod people;
mod sarif;
mod since;
mod target;

use super::folder;
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_databases::formats::Format;
use ripcord_databases::review::{self, Baseline, Finding, Review};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use target::Target;

/// Say what each statement of existing `PostgreSQL` migrations does: whether it blocks, breaks the
/// old code, destroys, can be taken back, and depends on data
///
/// Reads the folder of golang-migrate, Flyway, sqlx, Diesel, dbmate, goose, sql-migrate, refinery
/// or plain `NNN_name.up.sql` files as it is. Needs no database, no controller and no configuration.
///
/// Exit codes: 0 nothing of level error; 3 findings of level error; 2 usage, or a folder that
/// cannot be read.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// Folders of migrations, or single files of one [default: where tools usually keep them]
    #[arg(value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// The tool that the folder is for, where it cannot be told
    #[arg(long, value_name = "NAME", value_parser = folder::format)]
    format: Option<Format>,
    /// Review only what changed since this commit or branch, and what git does not know yet
    #[arg(long, value_name = "GIT_REV")]
    since: Option<String>,
    /// Findings listed in this file do not count
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write all findings into the file of --baseline, so that only new ones count from now on
    #[arg(long, requires = "baseline")]
    write_baseline: bool,
    /// Print Markdown, for a pull request
    #[arg(long, group = "output")]
    markdown: bool,
    /// Print annotations for GitHub Actions
    #[arg(long, group = "output")]
    github: bool,
    /// Print SARIF 2.1.0, for code scanning
    #[arg(long, group = "output")]
    sarif: bool,
    /// List all rules, and review nothing
    #[arg(long)]
    rules: bool,
}

/// What machines read.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    reviews: &'a [Review],
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    if args.rules {
        rules(context)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut reviews = Vec::new();
    for target in target::targets(&args.paths, args.format)? {
        let Target { set, mut choice } = target;
        if let Some(revision) = &args.since {
            let changed = since::changed(&set.root, revision)?;
            choice.only = Some(match choice.only {
                Some(only) => only.intersection(&changed).cloned().collect(),
                None => changed,
            });
        }
        reviews.push(review::review(&set, &choice));
    }
    baseline(args, &mut reviews)?;
    show(args, context, &reviews)?;
    let errors: usize = reviews.iter().map(|review| review.counts.errors).sum();
    // The findings are the message; there is no failure to tell of.
    Ok(if errors > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

fn show(args: &Args, context: &Context, reviews: &[Review]) -> Result<(), Failure> {
    let text = if args.markdown {
        markdown::markdown(reviews)
    } else if args.github {
        github::github(reviews)
    } else if args.sarif {
        json(&sarif::sarif(reviews))?
    } else if context.json {
        json(&Document { version: 1, reviews })?
    } else {
        people::people(reviews)
    };
    terminal::print(&text);
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(Code::Bug, format!("the review is no JSON: {error}")))
}

fn rules(context: &Context) -> Result<(), Failure> {
    let rules = review::rules();
    if context.json {
        let list: Vec<serde_json::Value> = rules
            .iter()
            .map(|rule| {
                serde_json::json!({
                    "name": rule.name,
                    "level": rule.level,
                    "topic": rule.topic,
                    "title": rule.title,
                })
            })
            .collect();
        terminal::print(&json(&list)?);
        return Ok(());
    }
    let row = |rule: &review::RuleInfo| {
        vec![rule.name.to_owned(), rule.level.to_string(), rule.title.to_owned()]
    };
    let rows: Vec<Vec<String>> = rules.iter().map(row).collect();
    terminal::print(&terminal::table(&["rule", "level", "what it is about"], &rows));
    Ok(())
}

/// Writes the baseline, or silences what it lists.
fn baseline(args: &Args, reviews: &mut [Review]) -> Result<(), Failure> {
    let Some(path) = &args.baseline else { return Ok(()) };
    if args.write_baseline {
        let baseline = Baseline::of(reviews.iter().flat_map(Review::loud));
        let mut text = json(&baseline)?;
        text.push('\n');
        fs::write(path, text).map_err(|error| {
            Failure::new(Code::CannotWrite, format!("cannot write {}: {error}", path.display()))
        })?;
        terminal::say(&format!("{} findings are in {}", baseline.len(), path.display()));
    }
    let unusable = |why: String| {
        Failure::new(Code::Usage, format!("the baseline {} is unusable: {why}", path.display()))
            .hint("write it with --write-baseline")
    };
    let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let baseline = Baseline::read(&text).map_err(unusable)?;
    for review in reviews {
        review.apply(&baseline);
    }
    Ok(())
}

/// Where a finding is, as its reader would name the file.
fn place(review: &Review, finding: &Finding) -> PathBuf {
    let path = review.folder.join(&finding.file);
    path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
}

/// How many there are of each, in words.
fn counted(reviews: &[Review]) -> String {
    let sum = |of: fn(&Review) -> usize| reviews.iter().map(of).sum::<usize>();
    let some = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    format!(
        "{} reviewed: {}, {}, {}, {} silenced",
        some(sum(|review| review.migrations.len()), "migration"),
        some(sum(|review| review.counts.errors), "error"),
        some(sum(|review| review.counts.warnings), "warning"),
        some(sum(|review| review.counts.notes), "note"),
        sum(|review| review.counts.silenced)
    )
}
