//! What came of the canary, by the record of the clients: who met it, and who was spared.

use crate::cli::Ended;
use crate::demo::journey::Released;
use ripcord_core::run::{Outcome, TurnReason};
use ripcord_shop::load::LoadReport;
use serde::Serialize;
use std::collections::BTreeSet;

/// The demo's promises about the canary.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CanaryOutcome {
    /// The canary that was taken back.
    pub(crate) canary_release: String,
    /// Requests that it answered before it was gone.
    pub(crate) canary_requests_to_detection: u64,
    /// Users who got one of its errors.
    pub(crate) canary_users_affected: usize,
    /// Users who met it at all.
    pub(crate) canary_users: usize,
    /// Users who were served meanwhile.
    pub(crate) users: usize,
    /// Errors that stable gave while it served beside the canary.
    pub(crate) stable_errors_meanwhile: usize,
    /// It was found bad by evidence, and taken back without anybody's help.
    pub(crate) canary_taken_back_by_evidence: bool,
    pub(crate) canary_schema_equal: bool,
}

impl CanaryOutcome {
    pub(crate) fn of(canary: &Released, schema_equal: bool, report: &LoadReport) -> CanaryOutcome {
        let release = canary.release.as_str();
        let is_canary = |name: &Option<String>| name.as_deref() == Some(release);
        let met: Vec<_> = report.timeline.iter().filter(|one| is_canary(&one.release)).collect();
        let (first, last) =
            (met.first().map(|one| one.start_ms), met.last().map(|one| one.start_ms));
        let meanwhile = report.timeline.iter().filter(|one| {
            first.is_some_and(|first| one.start_ms >= first)
                && last.is_some_and(|last| one.start_ms <= last)
        });
        let failed = |one: &&&ripcord_shop::load::RequestRecord| one.failure.is_some();
        let meanwhile: Vec<_> = meanwhile.collect();
        let of_stable = meanwhile.iter().filter(|one| !is_canary(&one.release));
        let users = |of: &[&ripcord_shop::load::RequestRecord]| {
            of.iter().map(|one| one.user.clone()).collect::<BTreeSet<_>>().len()
        };
        CanaryOutcome {
            canary_release: release.to_owned(),
            canary_requests_to_detection: met.len() as u64,
            canary_users_affected: met
                .iter()
                .filter(failed)
                .map(|one| &one.user)
                .collect::<BTreeSet<_>>()
                .len(),
            canary_users: users(&met),
            users: users(&meanwhile),
            stable_errors_meanwhile: of_stable.filter(failed).count(),
            canary_taken_back_by_evidence: matches!(
                &canary.ended,
                Ended::Over(Outcome::WentBack(TurnReason::Evidence(_)))
            ),
            canary_schema_equal: schema_equal,
        }
    }

    /// Whether everything holds that the demo promises of the canary.
    pub(crate) fn holds(&self) -> bool {
        self.canary_taken_back_by_evidence
            && self.canary_schema_equal
            && self.canary_requests_to_detection > 0
            && self.stable_errors_meanwhile == 0
    }
}
