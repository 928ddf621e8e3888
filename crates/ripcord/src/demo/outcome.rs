//! What the demo promises, measured: against the record of the clients and against the files
//! themselves, not against what Ripcord says of itself.

use crate::api::Client;
use crate::cli::Ended;
use crate::demo::canary::CanaryOutcome;
use crate::demo::flags_seen::FlagsSeen;
use crate::demo::journey::Released;
use crate::demo::server::Server;
use crate::demo::stage::{ENVIRONMENT, Stage, bytes, cannot_write};
use crate::failure::Failure;
use crate::world::Layout;
use ripcord_core::model::{Digest, EnvironmentName};
use ripcord_core::report::Account;
use ripcord_core::run::{Entry, Event, Observation, Outcome as PlanOutcome, TurnReason};
use ripcord_ledger::LedgerReader;
use ripcord_shop::load::{Baseline, DataReport, LoadReport, Record, Told};
use serde::Serialize;
use std::fs;
use std::path::PathBuf;

/// The last line of `ripcord demo --json`.
#[expect(clippy::struct_excessive_bools, reason = "each is a promise of its own, named in JSON")]
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    /// Requests that the clients made.
    pub(crate) requests: u64,
    /// Failed or missing answers that carry no fault id logged by the shop itself.
    pub(crate) failed_requests_due_to_ripcord: usize,
    /// The slowest request.
    pub(crate) max_request_ms: f64,
    /// The release that was taken back.
    pub(crate) bad_release: String,
    /// Requests that it answered before it was found bad.
    pub(crate) requests_to_detection: u64,
    /// From the decision to requests flowing to the release before.
    pub(crate) decision_to_traffic_back_ms: u64,
    /// From the decision to everything being back and verified.
    pub(crate) rollback_total_ms: u64,
    pub(crate) schema_equal: bool,
    /// By the clients' own record and a copy of all rows from before.
    pub(crate) data_equal: bool,
    /// Rows that users wrote through the bad release and were promised to keep.
    pub(crate) user_rows_written_during: usize,
    pub(crate) user_rows_lost: usize,
    pub(crate) flags_equal: bool,
    pub(crate) config_equal: bool,
    pub(crate) ledger_verified: bool,
    /// The release was found bad by evidence, and taken back without anybody's help.
    pub(crate) taken_back_by_evidence: bool,
    #[serde(flatten)]
    pub(crate) canary: CanaryOutcome,
}

impl Outcome {
    /// Whether everything holds that the demo promises.
    pub(crate) fn holds(&self) -> bool {
        self.failed_requests_due_to_ripcord == 0
            && self.user_rows_lost == 0
            && self.user_rows_written_during > 0
            && self.schema_equal
            && self.data_equal
            && self.flags_equal
            && self.config_equal
            && self.ledger_verified
            && self.taken_back_by_evidence
            && self.canary.holds()
    }
}

/// How things were before the bad release.
pub(crate) struct Before {
    pub(crate) baseline: Baseline,
    schema: Option<String>,
    catalogue: Option<Digest>,
    flags: Option<FlagsSeen>,
    config: (Option<PathBuf>, Vec<u8>),
}

impl Before {
    pub(crate) fn take(stage: &Stage, client: &Client) -> Result<Before, Failure> {
        Ok(Before {
            baseline: Baseline::take(stage.database()).map_err(cannot_write)?,
            schema: client.status(ENVIRONMENT)?.schema,
            catalogue: stage.server().map(Server::catalogue).transpose()?,
            flags: FlagsSeen::now(stage),
            config: config(stage),
        })
    }

    /// Whether the schema is what it was.
    pub(crate) fn schema_is_back(&self, stage: &Stage, client: &Client) -> Result<bool, Failure> {
        let catalogue = stage.server().map(Server::catalogue).transpose()?;
        Ok(catalogue == self.catalogue && client.status(ENVIRONMENT)?.schema == self.schema)
    }
}

/// Where the link points, and the bytes that are found through it.
fn config(stage: &Stage) -> (Option<PathBuf>, Vec<u8>) {
    let environment = Layout::new(stage.state()).environment(&EnvironmentName::from(ENVIRONMENT));
    let link = environment.config();
    (fs::read_link(&link).ok(), bytes(&link.join("shop.json")))
}

/// What the clients know by themselves.
pub(crate) struct Clients<'a> {
    pub(crate) report: &'a LoadReport,
    pub(crate) record: &'a Record,
    pub(crate) data: &'a DataReport,
}

impl Outcome {
    pub(crate) fn of(
        stage: &Stage,
        client: &Client,
        before: &Before,
        bad: &Released,
        canary: CanaryOutcome,
        clients: &Clients<'_>,
    ) -> Result<Outcome, Failure> {
        let Clients { report, record, data } = clients;
        let entries = client.entries(ENVIRONMENT, 0, 0)?;
        let account = Account::of(&bad.plan, &entries);
        let by_bad = |told: &Told| matches!(told, Told::Acknowledged { release, .. } if release == bad.release.as_str());
        Ok(Outcome {
            requests: report.requests,
            failed_requests_due_to_ripcord: report.failed_unexplained.len(),
            max_request_ms: (report.max_ms * 10.0).round() / 10.0,
            bad_release: bad.release.to_string(),
            requests_to_detection: watched(&entries),
            decision_to_traffic_back_ms: account.decision_to_traffic_ms.unwrap_or(u64::MAX),
            rollback_total_ms: account.decision_to_end_ms.unwrap_or(u64::MAX),
            schema_equal: before.schema_is_back(stage, client)?,
            data_equal: data.is_clean(),
            user_rows_written_during: record.writes.iter().filter(|w| by_bad(&w.told)).count(),
            user_rows_lost: data.rows_lost.len() + data.baseline_rows_lost.len(),
            flags_equal: before.flags.is_some() && FlagsSeen::now(stage) == before.flags,
            config_equal: config(stage) == before.config,
            ledger_verified: LedgerReader::open(&stage.state())
                .is_ok_and(|reader| reader.verify(&[]).is_ok()),
            taken_back_by_evidence: matches!(
                &bad.ended,
                Ended::Over(PlanOutcome::WentBack(TurnReason::Evidence(_)))
            ),
            canary,
        })
    }
}

/// The requests that had been judged when the last watch ended.
fn watched(entries: &[Entry]) -> u64 {
    let requests = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Observed { observation: Observation::Watched { requests, .. } } => Some(*requests),
        _ => None,
    });
    requests.unwrap_or(0)
}
