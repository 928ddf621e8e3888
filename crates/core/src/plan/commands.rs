//! What people carry out themselves, where an environment does not let Ripcord act: each step of
//! a plan in such a domain as one line. Plain text; nothing is carried out from here.

use crate::model::policy::{Authorities, Authority};
use crate::model::{MigrationRef, ReleaseId};
use crate::plan::{Effect, Plan, ResourceState, Undo};
use crate::schema::{Direction, SchemaChange, Wanted};
use std::fmt;

/// The steps of a plan that are for people, forth and back. Shown, it is empty when Ripcord may
/// carry out everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    /// What to do, in order.
    pub forth: Vec<String>,
    /// What takes it back, in order.
    pub back: Vec<String>,
}

/// Picks out what Ripcord may not do itself.
pub fn by_hand(plan: &Plan, authority: &Authorities) -> ByHand {
    let lines = |effect: &Effect| -> Vec<String> {
        match effect.domain() {
            Some(domain) if authority.of(domain) != Authority::Act => {
                let what = commands(effect).into_iter();
                what.map(|command| format!("{domain}: {command}")).collect()
            }
            _ => Vec::new(),
        }
    };
    let forth = plan.steps.iter().flat_map(|step| {
        lines(&step.effect).into_iter().map(|line| format!("{:>2}. {line}", step.id))
    });
    let back = plan.steps.iter().rev().flat_map(|step| match &step.undo {
        Undo::Nothing | Undo::Loses(_) => Vec::new(),
        Undo::Apply(effects) => {
            effects.iter().flat_map(lines).map(|line| format!("{:>2}. {line}", step.id)).collect()
        }
    });
    ByHand { forth: forth.collect(), back: back.collect() }
}

impl fmt::Display for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (heading, lines) in
            [("carry out yourself", &self.forth), ("and to take it back", &self.back)]
        {
            if !lines.is_empty() {
                writeln!(f, "  {heading}:")?;
            }
            for line in lines {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}

/// What a person does for an effect; nothing for what only looks or asks.
fn commands(effect: &Effect) -> Vec<String> {
    match effect {
        Effect::EnsureSchema { change, wanted } => scripts(change, *wanted),
        Effect::EnsureTraffic { state, .. } => vec![format!("set the proxy: {state}")],
        Effect::EnsureConfig { .. }
        | Effect::EnsureFlags { .. }
        | Effect::EnsureFlagChange(_)
        | Effect::EnsureFlagLayer(_)
        | Effect::EnsureServiceFlag(_) => vec![format!("put in force: {effect}")],
        Effect::EnsureResource { resource, release, state } => {
            vec![match state {
                ResourceState::Applied => command(&resource.apply, release),
                ResourceState::Reverted => command(&resource.revert, release),
            }]
        }
        Effect::EnsureBackup { .. }
        | Effect::EnsureInstances { .. }
        | Effect::EnsureRole { .. } => vec![effect.to_string()],
        Effect::Bake(_)
        | Effect::Analysis(_)
        | Effect::Verify { .. }
        | Effect::ConfirmFlags { .. }
        | Effect::RecordServiceFlags { .. }
        | Effect::SettleServiceFlags { .. }
        | Effect::Approve { .. } => Vec::new(),
    }
}

/// The scripts to run: upwards oldest first, downwards newest first.
fn scripts(change: &SchemaChange, wanted: Wanted) -> Vec<String> {
    let file = |migration: &MigrationRef, direction: &str| {
        format!("{:03}_{}.{direction}.sql", migration.version.0, migration.name)
    };
    let scripts = change.scripts.iter();
    match (change.direction, wanted) {
        (Direction::Up, Wanted::Made) | (Direction::Down, Wanted::Unmade) => {
            scripts.map(|script| format!("run {}", file(&script.migration, "up"))).collect()
        }
        (Direction::Up, Wanted::Unmade) | (Direction::Down, Wanted::Made) => scripts
            .rev()
            .map(|script| match &script.down {
                Some(_) => format!("run {}", file(&script.migration, "down")),
                None => {
                    format!("take back {}, which has no down script", file(&script.migration, "up"))
                }
            })
            .collect(),
    }
}

/// The command as a shell takes it.
fn command(words: &[String], release: &ReleaseId) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("RIPCORD_RELEASE={} {}", quoted(release.as_str()), words.join(" "))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain;
    use crate::plan::fixture::{
        deploy_plan, environment, flags_of_deploy, preview, queue, release, rollback_plan,
    };
    use crate::plan::{DeployRequest, deploy};

    fn check(plan: &Plan, domains: &[Domain], expected: &[&str]) {
        let not = |domain: &Domain| (*domain, Authority::Propose);
        let authority = Authorities(domains.iter().map(not).collect());
        let shown = by_hand(plan, &authority).to_string();
        assert_eq!(shown.lines().collect::<Vec<_>>(), expected, "{plan}");
    }

    #[test]
    fn nothing_where_ripcord_may_act() {
        let (_, plan) = deploy_plan(Some(&preview(Direction::Up, false, 0)));
        check(&plan, &[], &[]);
        let (_, plan) = deploy_plan(None);
        check(&plan, &[Domain::Database], &[]);
    }

    #[test]
    fn scripts_by_their_files() {
        let (_, plan) = deploy_plan(Some(&preview(Direction::Up, false, 0)));
        check(
            &plan,
            &[Domain::Database],
            &[
                "  carry out yourself:",
                "   1. database: copy the database as g2-before-v2",
                "   2. database: run 007_drop_note.up.sql",
                "  and to take it back:",
                "   2. database: take back 007_drop_note.up.sql, which has no down script",
            ],
        );
        let (_, plan) = rollback_plan(Some(&preview(Direction::Down, false, 0)));
        check(
            &plan,
            &[Domain::Database],
            &[
                "  carry out yourself:",
                "   6. database: copy the database as g3-before-return-to-v1",
                "   7. database: take back 007_drop_note.up.sql, which has no down script",
                "  and to take it back:",
                "   7. database: run 007_drop_note.up.sql",
            ],
        );
    }

    #[test]
    fn the_split_of_the_proxy() {
        let (_, plan) = deploy_plan(None);
        check(
            &plan,
            &[Domain::Traffic],
            &[
                "  carry out yourself:",
                "   2. traffic: set the proxy: traffic to v1 100 %, preview of v2",
                "   5. traffic: set the proxy: traffic to v2 100 %, preview of v2",
                "  and to take it back:",
                "   5. traffic: set the proxy: traffic to v1 100 %, preview of v2",
                "   2. traffic: set the proxy: traffic to v1 100 %",
            ],
        );
    }

    #[test]
    fn commands_of_infrastructure_with_flags() {
        let mut environment = environment(&["v1"]);
        environment.policy.resources = vec![queue()];
        let (release, flags) = (release("v2"), flags_of_deploy());
        let request = DeployRequest {
            release: &release,
            schema: None,
            flags: Some(&flags),
            retry: false,
            accepted: None,
        };
        let plan = deploy(&environment, &request).unwrap();
        check(
            &plan,
            &[Domain::Config, Domain::Flags],
            &[
                "  carry out yourself:",
                "   1. config: RIPCORD_RELEASE=v2 queue apply",
                "   2. config: run 2 instances of v2",
                "   5. config: put in force: configuration of v2",
                "   7. flags: put in force: flags as v2 wants them",
                "  and to take it back:",
                "   7. flags: put in force: flags as before",
                "   6. config: run 2 instances of v1",
                "   5. config: put in force: configuration of v1",
                "   2. config: stop v2",
                "   1. config: RIPCORD_RELEASE=v2 queue revert",
            ],
        );
    }

    #[test]
    fn words_for_a_shell() {
        let check = |word: &str, expected: &str| assert_eq!(quoted(word), expected);
        check("apply", "apply");
        check("", "''");
        check("a b", "'a b'");
        check("it's", r"'it'\''s'");
        check("$HOME", "'$HOME'");
    }
}
