//! From the errors of the libraries to failures: which code each has and what helps against it.

use crate::failure::{Code, Failure};
use ripcord_core::plan::Refusal;
use ripcord_engine::LedgerError;
use ripcord_engine::control::{ObserveError, StartError};
use ripcord_ledger::OpenError;

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let (code, hint) = match &refusal {
            Refusal::AlreadyLive(_) => (Code::AlreadyLive, "`ripcord status` shows what serves"),
            Refusal::SameRelease(_) => {
                (Code::SameRelease, "name an earlier release with `ripcord rollback --to vN`")
            }
            Refusal::NoTarget => {
                (Code::NoTarget, "deploy a good release; `ripcord release list` shows all")
            }
            Refusal::NotVerified { .. } => {
                (Code::NotVerified, "choose a verified release, or deploy this one")
            }
            Refusal::Held { .. } => (
                Code::ReleaseHeld,
                "release a mended version, or try this one again: `ripcord retry RELEASE`",
            ),
            Refusal::UnknownMigrations { .. } => (
                Code::UnknownMigrations,
                "put the scripts back into the migrations folder and freeze a new release",
            ),
            Refusal::EditedMigration { .. } => (
                Code::EditedMigration,
                "restore the script as it was applied and write a new migration instead",
            ),
            Refusal::OutOfOrder { .. } => {
                (Code::OutOfOrder, "give the migration a number above the newest that is applied")
            }
            Refusal::NoWayBack { .. } => (
                Code::NoWayBack,
                "write a down script, or let a named person accept the loss: \
                 `--accept-loss --reason WHY`",
            ),
            Refusal::WouldNotSurvive { .. } => (
                Code::WouldNotSurvive,
                "`strategy = \"blue-green\"` in ripcord.toml for this release; or two releases, the \
                 first of which only adds",
            ),
            Refusal::NoSteps { .. } => {
                (Code::ConfigContradiction, "mend the steps of the environment in ripcord.toml")
            }
            Refusal::NoAuthority { .. } => (
                Code::NoAuthority,
                "`ripcord plan deploy` or `ripcord plan rollback` lists what to carry out yourself; \
                 or set the domain to \"act\" under [environments.NAME.authority]",
            ),
            Refusal::Stale { .. } => (Code::StalePlan, "make the plan anew and look at it again"),
            Refusal::Unsound(_) => {
                (Code::UnsoundPlan, "make the plan anew; a plan must not be edited by hand")
            }
        };
        Failure::new(code, refusal.to_string()).hint(hint)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Failure {
        let (code, hint) = match &error {
            LedgerError::Fenced { .. } => (
                Code::ControllerReplaced,
                "talk to the new controller; this one has ended its work",
            ),
            LedgerError::Full(_) => {
                (Code::DiskFull, "free some space; a rollback may still use the reserve")
            }
            LedgerError::Unusable(_) => {
                (Code::LedgerUnusable, "look at the disk and the rights of the state directory")
            }
            LedgerError::Damaged { .. } => (
                Code::LedgerDamaged,
                "keep the file as it is; `ripcord ledger verify` says how far it is whole",
            ),
        };
        Failure::new(code, error.to_string()).hint(hint)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        match error {
            StartError::Ledger(error) => error.into(),
            StartError::Refused(refusal) => refusal.into(),
            StartError::Running { .. } => Failure::new(Code::OperationRunning, error.to_string())
                .hint("`ripcord status` follows it, `ripcord abort` takes it back"),
            StartError::Elsewhere { .. } => Failure::new(Code::PlanElsewhere, error.to_string())
                .hint("make a plan for this environment"),
        }
    }
}

impl From<ObserveError> for Failure {
    fn from(error: ObserveError) -> Failure {
        match error {
            ObserveError::Ledger(error) => error.into(),
            ObserveError::World { .. } => Failure::new(Code::CannotObserve, error.to_string()),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        let code = match error {
            OpenError::Ledger(error) => return error.into(),
            OpenError::InUse { .. } | OpenError::InUseByUnknown(_) | OpenError::Takeover { .. } => {
                Code::ControllerRunning
            }
            OpenError::NewerFormat { .. } => Code::LedgerNewer,
            OpenError::Missing(_) => Code::LedgerMissing,
            OpenError::NotALedger(_)
            | OpenError::NetworkFileSystem(_)
            | OpenError::UnsafeSqlite(_)
            | OpenError::Io { .. } => Code::StateUnusable,
        };
        Failure::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(failure: impl Into<Failure>, expected: &Expect) {
        expected.assert_eq(&failure.into().to_string());
    }

    #[test]
    fn refusals_say_what_helps() {
        check(
            Refusal::NoWayBack { gone: vec!["12 rows of audit_log".into()] },
            &expect![[r"
                error[RC0209]: there is no way back from this: 12 rows of audit_log would be gone
                hint: write a down script, or let a named person accept the loss: `--accept-loss --reason WHY`"]],
        );
        check(
            Refusal::NotVerified { target: "v9".into(), available: vec!["v1".into(), "v2".into()] },
            &expect![[r"
                error[RC0204]: v9 was never verified in this environment; verified are: v1, v2
                hint: choose a verified release, or deploy this one"]],
        );
    }

    #[test]
    fn two_controllers() {
        check(
            OpenError::InUse { pid: 42, since: "2026-01-01T00:00:00Z".parse().unwrap() },
            &expect![
                "error[RC0402]: the state directory is in use by process 42 since 2026-01-01T00:00:00Z; stop that controller, or take over, which kills it"
            ],
        );
    }

    #[test]
    fn who_runs_what() {
        check(
            StartError::Running {
                environment: "production".into(),
                plan: "abc".into(),
                from: Some("v1".into()),
                to: "v2".into(),
                by: "ann".into(),
            },
            &expect![[r"
                error[RC0213]: plan abc from v1 to v2, begun by ann, is not over in production
                hint: `ripcord status` follows it, `ripcord abort` takes it back"]],
        );
    }
}
