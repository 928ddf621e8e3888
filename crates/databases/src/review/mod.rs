//! Reviewing migrations as files, for `PostgreSQL`: what each statement does on five axes, and
//! which of that should not be merged as it is. Asks no database and changes nothing.

mod axes;
mod baseline;
mod describe;
mod known;
mod report;
mod rules;
mod script;

pub use axes::{Block, Holds, Kept, Lock};
pub use baseline::{Baseline, fingerprint};
pub use report::{
    Counts, Finding, Review, ReviewedMigration, ReviewedScript, ReviewedStatement, Silence,
};
pub use rules::{Level, Topic};

use crate::formats::{Migration, MigrationSet, Problem};
use crate::statement::{Migrating, Parsed, STACK_BYTES, parse, split};
use known::Known;
use rules::problems;
use script::Reviewer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What to review of a set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Only these files, relative to the folder; all when none are named. The others are still
    /// read, since they tell what the schema is.
    pub only: Option<BTreeSet<PathBuf>>,
}

impl Choice {
    fn takes(&self, path: &Path) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(path))
    }
}

/// A rule, for lists of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its name.
    pub name: &'static str,
    /// How loud it usually is.
    pub level: Level,
    /// What it is about.
    pub topic: Topic,
    /// What it is about, in a few words.
    pub title: &'static str,
}

/// All rules, in the order of their names.
pub fn rules() -> Vec<RuleInfo> {
    let statements = rules::RULES.iter().map(|rule| RuleInfo {
        name: rule.name,
        level: rule.level,
        topic: rule.topic,
        title: rule.title,
    });
    let files = problems::FILE_RULES.iter().map(|rule| RuleInfo {
        name: rule.name,
        level: rule.level,
        topic: problems::TOPIC,
        title: rule.title,
    });
    let mut all: Vec<RuleInfo> = statements.chain(files).collect();
    all.sort_by_key(|rule| rule.name);
    all
}

/// Reviews a set of migrations.
pub fn review(set: &MigrationSet, choice: &Choice) -> Review {
    let read = read(&set.migrations);
    let mut known = Known::default();
    let mut migrations = Vec::new();
    let mut findings = Vec::new();
    for (migration, (up, down)) in set.migrations.iter().zip(read) {
        let mut run = |script: &crate::formats::Script, parsed: &[Parsed], way| {
            let reviewer = Reviewer::new(script, way);
            reviewer.review(parsed, &mut known)
        };
        let up = run(&migration.up, &up, Migrating::Up);
        // What a down script does is not part of how the schema came to be.
        let mut before = known.clone();
        let down = migration.down.as_ref().map(|script| {
            let reviewer = Reviewer::new(script, Migrating::Down);
            reviewer.review(&down, &mut before)
        });
        let taken = choice.takes(&migration.up.path)
            || migration.down.as_ref().is_some_and(|down| choice.takes(&down.path));
        if taken {
            findings.extend(up.findings);
            let down = down.map(|down| {
                findings.extend(down.findings);
                down.script
            });
            migrations.push(ReviewedMigration::new(migration, up.script, down));
        }
    }
    let problems = set.problems.iter().filter(|problem| choice.takes(&problem.path));
    findings.extend(problems.map(|problem| of_problem(problem, set)));
    findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Review::new(set, migrations, findings)
}

/// A finding about a file, silenced if an annotation in it says so.
fn of_problem(problem: &Problem, set: &MigrationSet) -> Finding {
    let rule = problems::of(problem.kind);
    let scripts = set.migrations.iter().flat_map(|m| std::iter::once(&m.up).chain(&m.down));
    let mine = scripts.filter(|script| script.path == problem.path);
    let notes = mine.flat_map(|script| script::notes(&script.text)).collect::<Vec<_>>();
    Finding {
        rule: rule.name,
        level: rule.level,
        topic: problems::TOPIC,
        file: problem.path.clone(),
        line: problem.line,
        message: problem.message.clone(),
        instead: None,
        statement: String::new(),
        silenced: script::silence(&notes, rule.name),
    }
}

/// The statements of a migration, up and down.
type Halves = (Vec<Parsed>, Vec<Parsed>);

/// Reads all scripts, on threads whose stacks are deep enough for the grammar.
fn read(migrations: &[Migration]) -> Vec<Halves> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 8);
    let share = migrations.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let shares: Vec<_> = migrations
            .chunks(share)
            .map(|migrations| {
                let work = move || migrations.iter().map(halves).collect::<Vec<_>>();
                std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work)
            })
            .collect();
        shares
            .into_iter()
            .zip(migrations.chunks(share))
            .flat_map(|(thread, migrations)| {
                let read = thread.ok().and_then(|thread| thread.join().ok());
                // A thread that could not be had leaves its share unread, and says so.
                read.unwrap_or_else(|| migrations.iter().map(unread).collect())
            })
            .collect()
    })
}

fn halves(migration: &Migration) -> Halves {
    let statements = |text: &str| split(text).iter().map(parse).collect::<Vec<_>>();
    let down = migration.down.as_ref().map(|down| statements(&down.text));
    (statements(&migration.up.text), down.unwrap_or_default())
}

fn unread(migration: &Migration) -> Halves {
    (vec![Parsed::unread(&migration.up.text)], Vec::new())
}
