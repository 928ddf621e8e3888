//! What a deploy or a rollback is going to do to flags: looks the documents up and lets the pure
//! part find out. Nothing is changed but that documents which are going to be wanted are kept.

use crate::controller::Controller;
use crate::controller::environment::EnvironmentControl;
use crate::failure::{Code, Failure};
use crate::flags::{moved_by_bucketing, put, unknown_now};
use ripcord_core::flag::{
    Clash, DeployFlags, FlagPreview, Leaving, Parts, RollbackFlags, ServiceChange, ServiceNow,
    Services,
};
use ripcord_core::model::{
    Authority, Digest, Domain, Environment, MigrationVersion, Release, ReleaseId,
};
use ripcord_core::schema::MigrationScript;
use std::collections::BTreeMap;

impl Controller {
    /// What a deploy does to flags.
    pub(crate) fn flags_of_deploy(
        &self,
        environment: &EnvironmentControl,
        observed: &Environment,
        release: &Release,
        clash: Clash,
    ) -> Result<FlagPreview, Failure> {
        let keeper = &environment.flags.keeper;
        let state = &observed.history.flags;
        let live = observed.history.live().and_then(|live| self.registry.get(live));
        let left = live.and_then(|live| live.flags.document);
        let wanted = &release.flags.document;
        let now = keeper.text(state.document.as_ref())?;
        let deploy = DeployFlags {
            release,
            from: &keeper.parts(left.as_ref())?,
            to: &keeper.parts(wanted.as_ref())?,
            now: &keeper.parts(state.document.as_ref())?,
            state,
            clash,
        };
        let mut preview =
            FlagPreview::deploy(&deploy, &mut |parts| put(keeper, &now, parts, &[wanted]))?;
        let found = environment.services.look([release]);
        let by_hand = |change: &ServiceChange| environment.services.by_hand(change);
        let services = at_services(observed, &found, clash, &by_hand);
        preview.add_deploy_at(&services, release);
        let wants = |now: &&ServiceNow| {
            let wish = release.flags.at(&now.flag.service, &now.flag.key);
            wish.is_some_and(|wish| wish.want.is_some())
        };
        if services.authority == Authority::Act
            && let Some((now, why)) =
                found.values().filter(wants).find_map(|now| Some((now, now.image.as_ref().err()?)))
        {
            return Err(unknown_now(now, why));
        }
        if let Some(service) = environment.services.only_reads(preview.services.changes.iter()) {
            let what = format!("the token for the flags at {service} may only read");
            return Err(Failure::new(Code::FlagServiceReadOnly, what).hint(
                "give it one that may write, or set `flags = \"propose\"` in the environment's \
                 authority, and change the flags yourself",
            ));
        }
        let to = preview.change.as_ref().and_then(|change| change.to.as_ref());
        if let Some(to) = to.filter(|_| !now.is_empty()) {
            let moved = moved_by_bucketing(&now, &keeper.text(Some(to))?);
            // Flags that cannot be read divide nobody.
            preview.report.extend(moved.unwrap_or_default());
        }
        Ok(preview)
    }

    /// What a rollback does to flags.
    pub(crate) fn flags_of_rollback(
        &self,
        environment: &EnvironmentControl,
        observed: &Environment,
        target: &Release,
        undone: &[MigrationScript],
        clash: Clash,
    ) -> Result<FlagPreview, Failure> {
        let keeper = &environment.flags.keeper;
        let state = &observed.history.flags;
        let left = self.left(environment, observed, target)?;
        let leaving: Vec<Leaving<'_>> = left
            .iter()
            .map(|one| Leaving { release: &one.release, before: &one.before, after: &one.after })
            .collect();
        let known = self.registry.all();
        let wishes = known.iter().flat_map(|release| &release.flags.wishes);
        let needs: BTreeMap<String, MigrationVersion> =
            wishes.filter_map(|(key, wish)| Some((key.clone(), wish.requires_schema?))).collect();
        let rollback = RollbackFlags {
            needs: &needs,
            target,
            left: &leaving,
            undone: &undone.iter().map(|script| script.migration.version).collect(),
            now: &keeper.parts(state.document.as_ref())?,
            state,
            clash,
        };
        let now = keeper.text(state.document.as_ref())?;
        let mut like: Vec<&Option<Digest>> = left.iter().map(|one| &one.before_document).collect();
        like.push(&target.flags.document);
        let mut preview =
            FlagPreview::rollback(&rollback, &mut |parts| put(keeper, &now, parts, &like))?;
        let releases: Vec<&Release> = left.iter().map(|one| &one.release).collect();
        let found = environment.services.look(releases.iter().copied());
        let by_hand = |change: &ServiceChange| environment.services.by_hand(change);
        let services = at_services(observed, &found, clash, &by_hand);
        let plain = preview.clone();
        preview.add_rollback_at(&services, target, &releases, rollback.undone);
        let changes = preview.services.off.iter().chain(&preview.services.changes);
        if let Some(service) = environment.services.only_reads(changes) {
            // Going back must not fail for that: people do it, as the plan tells them.
            preview = plain;
            preview.report.push(format!("the token for the flags at {service} may only read"));
            let services = Services { authority: Authority::Propose, ..services };
            preview.add_rollback_at(&services, target, &releases, rollback.undone);
        }
        Ok(preview)
    }

    /// The releases that a rollback leaves, newest first, with what their deploys did to flags.
    fn left(
        &self,
        environment: &EnvironmentControl,
        observed: &Environment,
        target: &Release,
    ) -> Result<Vec<Left>, Failure> {
        let keeper = &environment.flags.keeper;
        let history = &observed.history;
        let later = history.verified.iter().rev().map(|verified| &verified.release);
        let later: Vec<&ReleaseId> = later.take_while(|id| **id != target.id).collect();
        let mut left = Vec::new();
        for (place, id) in later.iter().enumerate() {
            let Some(release) = self.registry.get(id) else { continue };
            let before =
                later.get(place + 1).map_or(Some(target.clone()), |id| self.registry.get(id));
            let (before_document, after_document) = match history.flag_spans.get(*id) {
                Some(span) if span.after > 0 => {
                    (span.before_document.clone(), span.after_document.clone())
                }
                // It was deployed before there were revisions: what it wanted is what it got.
                _ => {
                    let before = before.and_then(|before| before.flags.document);
                    (before, release.flags.document.clone())
                }
            };
            let parts = |document: &Option<Digest>| keeper.parts(document.as_ref());
            left.push(Left {
                before: parts(&before_document)?,
                after: parts(&after_document)?,
                before_document,
                release,
            });
        }
        Ok(left)
    }
}

/// What planners know about services.
fn at_services<'a>(
    observed: &'a Environment,
    now: &'a BTreeMap<String, ServiceNow>,
    clash: Clash,
    by_hand: &'a dyn Fn(&ServiceChange) -> String,
) -> Services<'a> {
    let authority = observed.authority.of(Domain::Flags);
    Services { now, authority, history: &observed.history, clash, by_hand }
}

struct Left {
    release: Release,
    before_document: Option<Digest>,
    before: Parts,
    after: Parts,
}
