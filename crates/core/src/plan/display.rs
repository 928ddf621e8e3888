//! A plan as people read it: steps, way back, price. Plain text; colour is the terminal's business.

use crate::flag::{FlagChange, FlagSource, LayerChange};
use crate::model::ids::Millis;
use crate::model::{Draw, Match, Pattern, Requests, StickyKey, TrafficState};
use crate::plan::effect::{Analysis, ResourceState, Until, VerifyCheck};
use crate::plan::{Effect, Intent, Plan, Undo};
use crate::schema::{Counted, Direction, SchemaChange, Wanted};
use std::fmt;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.intent {
            Intent::Deploy => "deploy",
            Intent::Rollback => "rollback",
        };
        let from = self.from.as_ref().map_or("nobody", |release| release.as_str());
        writeln!(f, "plan {}: {verb} {} from {from} to {}", self.id, self.environment, self.to)?;
        for line in &self.report {
            writeln!(f, "  {line}")?;
        }
        for step in &self.steps {
            writeln!(f, "  {:>2}. {}", step.id, step.effect)?;
            match &step.undo {
                Undo::Nothing => {}
                Undo::Apply(effects) => {
                    let undo: Vec<String> = effects.iter().map(ToString::to_string).collect();
                    writeln!(f, "        back: {}", undo.join("; "))?;
                }
                Undo::Loses(what) => writeln!(f, "        back: LOST: {}", what.join(", "))?,
            }
        }
        let forecast = &self.forecast;
        let flags = &forecast.flags;
        lines(f, "flags", &flags.changed)?;
        counted(f, "kept", &forecast.kept, &flags.kept)?;
        counted(f, "hidden", &forecast.hidden, &flags.hidden)?;
        counted(f, "gone", &forecast.gone, &flags.gone)?;
        for what in &forecast.caveats {
            writeln!(f, "  note:   {what}")?;
        }
        for what in &forecast.does_not_come_back {
            writeln!(f, "  does not come back: {what}")?;
        }
        let takes = duration(forecast.takes_ms);
        match forecast.notice_ms_max {
            0 => writeln!(f, "  takes about {takes}; users notice nothing"),
            ms => writeln!(f, "  takes about {takes}; requests wait up to about {}", duration(ms)),
        }
    }
}

fn counted(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    things: &[Counted],
    flags: &[String],
) -> fmt::Result {
    let things: Vec<String> = things.iter().map(ToString::to_string).collect();
    if things.is_empty() && flags.is_empty() {
        return writeln!(f, "  {:<7} nothing", format!("{label}:"));
    }
    lines(f, label, &things)?;
    lines(f, label, flags)
}

fn lines(f: &mut fmt::Formatter<'_>, label: &str, lines: &[String]) -> fmt::Result {
    let label = format!("{label}:");
    lines.iter().try_for_each(|line| writeln!(f, "  {label:<7} {line}"))
}

/// A duration as people say it: `340 ms`, `1.2 s`, `5 min`.
pub fn duration(ms: Millis) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min", ms / 60_000),
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::EnsureBackup { name } => write!(f, "copy the database as {name}"),
            Effect::EnsureSchema { change, wanted } => schema(f, change, *wanted),
            Effect::EnsureConfig { release: Some(release) } => {
                write!(f, "configuration of {release}")
            }
            Effect::EnsureConfig { release: None } => f.write_str("no configuration"),
            Effect::EnsureInstances { release, count: 0 } => write!(f, "stop {release}"),
            Effect::EnsureInstances { release, count: 1 } => write!(f, "run {release}"),
            Effect::EnsureInstances { release, count } => {
                write!(f, "run {count} instances of {release}")
            }
            Effect::EnsureRole { release, role, count: 0 } => write!(f, "stop {role} of {release}"),
            Effect::EnsureRole { release, role, count: 1 } => write!(f, "run {role} of {release}"),
            Effect::EnsureRole { release, role, count } => {
                write!(f, "run {count} {role} of {release}")
            }
            Effect::EnsureTraffic { state, .. } => write!(f, "{state}"),
            Effect::EnsureFlags { document: Some(digest) } => write!(f, "flags {}", digest.short()),
            Effect::EnsureFlags { document: None } => f.write_str("no flags"),
            Effect::EnsureFlagChange(change) if change.undoes => f.write_str("flags as before"),
            Effect::EnsureFlagChange(FlagChange {
                source: FlagSource::Deploy, release, ..
            }) => {
                write!(f, "flags as {release} wants them")
            }
            Effect::EnsureFlagChange(change) => write!(f, "flags as before {}", change.release),
            Effect::EnsureFlagLayer(change) => layer(f, change),
            Effect::ConfirmFlags { wait_ms_max } => {
                write!(f, "wait until clients have heard of it, {} at most", duration(*wait_ms_max))
            }
            Effect::RecordServiceFlags { flags, .. } => {
                let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
                write!(f, "record {}", flags.join(", "))
            }
            Effect::EnsureServiceFlag(change) => write!(f, "{change}"),
            Effect::SettleServiceFlags { wait_ms } => {
                write!(f, "wait {} until clients have what changed there", duration(*wait_ms))
            }
            Effect::EnsureResource { resource, state, .. } => match state {
                ResourceState::Applied => {
                    write!(f, "apply {}: `{}`", resource.name, resource.apply.join(" "))
                }
                ResourceState::Reverted => {
                    write!(f, "revert {}: `{}`", resource.name, resource.revert.join(" "))
                }
            },
            Effect::Bake(bake) => {
                write!(f, "watch {} for {}", bake.release, duration(bake.duration_ms))
            }
            Effect::Analysis(analysis) => write!(f, "{analysis}"),
            Effect::Verify { checks } => {
                let checks: Vec<String> = checks.iter().map(ToString::to_string).collect();
                write!(f, "verify {}", checks.join(", "))
            }
            Effect::Approve { question } => write!(f, "ask a person: {question}"),
        }
    }
}

fn layer(f: &mut fmt::Formatter<'_>, change: &LayerChange) -> fmt::Result {
    let release = &change.release;
    match (&change.layer, change.undoes) {
        (Some(layer), false) => {
            let flags: Vec<&str> = layer.flags.iter().map(String::as_str).collect();
            write!(f, "turn off the flags of {release}: {}", flags.join(", "))
        }
        (None, false) => write!(f, "lift what is off of {release}"),
        (_, true) => write!(f, "what is off of {release} as before"),
    }
}

fn schema(f: &mut fmt::Formatter<'_>, change: &SchemaChange, wanted: Wanted) -> fmt::Result {
    let names: Vec<String> =
        change.scripts.iter().map(|script| script.migration.to_string()).collect();
    let verb = match (change.direction, wanted) {
        (Direction::Up, Wanted::Made) => "migrate up",
        (Direction::Up, Wanted::Unmade) => "take back migration",
        (Direction::Down, Wanted::Made) => "migrate down",
        (Direction::Down, Wanted::Unmade) => "apply again migration",
    };
    write!(f, "{verb} {}", names.join(", "))
}

impl fmt::Display for TrafficState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.requests {
            Requests::Flowing => write!(f, "traffic to {}", self.split)?,
            Requests::Held(_) => write!(f, "requests wait, {} drains", self.split)?,
            Requests::Maintenance { .. } => f.write_str("maintenance page")?,
        }
        if self.draw == Draw::Exact {
            f.write_str(", counted out")?;
        }
        if let Draw::Sticky(sticky) = &self.draw {
            match &sticky.key {
                StickyKey::Cookie { name } => write!(f, ", users keep theirs by cookie {name}")?,
                StickyKey::Header { name } => write!(f, ", users keep theirs by header {name}")?,
            }
        }
        for rule in &self.rules {
            write!(f, ", {} to {}", rule.when, rule.to)?;
        }
        for (release, limit) in &self.limits {
            write!(f, ", {limit} of {release} serve")?;
        }
        match &self.preview {
            Some(release) => write!(f, ", preview of {release}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name, value) = match self {
            Match::Header { name, value } => ("header", name, value),
            Match::Cookie { name, value } => ("cookie", name, value),
        };
        match value {
            Pattern::Is(text) => write!(f, "{kind} {name} = {text}"),
            Pattern::Prefix(text) => write!(f, "{kind} {name} = {text}…"),
            Pattern::Present => write!(f, "{kind} {name}"),
        }
    }
}

impl fmt::Display for Analysis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (canary, stable) = (&self.canary, &self.stable);
        match &self.until {
            Until::Elapsed { ms } if !self.judge.looks() => {
                write!(f, "{canary} and {stable} share for {}, not judged", duration(*ms))
            }
            Until::Elapsed { ms } => {
                write!(f, "compare {canary} with {stable} for {}", duration(*ms))
            }
            Until::Judged { ms_max } => {
                let most = duration(*ms_max);
                write!(f, "compare {canary} with {stable} until it is proven, {most} at most")
            }
            Until::Promoted { question } => write!(f, "ask a person: {question}"),
        }
    }
}

impl fmt::Display for VerifyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::model::policy::CheckSpec;
        match self {
            VerifyCheck::Preview { check: CheckSpec::Http { path, status }, .. } => {
                write!(f, "{path} answers {status}")
            }
            VerifyCheck::Preview { check: CheckSpec::Command { argv }, .. } => {
                write!(f, "`{}` succeeds", argv.join(" "))
            }
            VerifyCheck::Schema { .. } => f.write_str("schema"),
            VerifyCheck::Integrity => f.write_str("data integrity"),
            VerifyCheck::Ready { release, .. } => write!(f, "{release} ready"),
            VerifyCheck::Traffic { .. } => f.write_str("traffic"),
            VerifyCheck::Config { .. } => f.write_str("configuration"),
            VerifyCheck::Flags { .. } | VerifyCheck::FlagsAgree => f.write_str("flags"),
        }
    }
}
