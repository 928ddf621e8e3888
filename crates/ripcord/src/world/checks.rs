//! The user's checks before a switch, made at the preview address.

use crate::world::command;
use ripcord_core::model::policy::CheckSpec;
use ripcord_core::model::{EnvironmentName, ReleaseId};
use ripcord_engine::{Checks, Failure, Result, Ticket};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The longest that one answer may take.
const ANSWER_MS_MAX: u64 = 10_000;

/// Asks the preview listener of the environment's proxy.
#[derive(Debug)]
pub(crate) struct PreviewChecks {
    pub(crate) project: PathBuf,
    pub(crate) environment: EnvironmentName,
    pub(crate) preview: Option<SocketAddr>,
}

impl Checks for PreviewChecks {
    fn run(&self, check: &CheckSpec, release: &ReleaseId, ticket: &Ticket<'_>) -> Result<()> {
        let url = self.preview.map(|address| format!("http://{address}"));
        match check {
            CheckSpec::Http { path, status } => {
                let url = url.ok_or_else(|| {
                    Failure::definite("a check by HTTP needs a preview address; set `preview`")
                })?;
                answers(&format!("{url}{path}"), *status, ticket)
            }
            CheckSpec::Command { argv } => {
                let environment = [
                    ("RIPCORD_RELEASE", release.to_string()),
                    ("RIPCORD_ENVIRONMENT", self.environment.to_string()),
                    ("RIPCORD_PREVIEW_URL", url.unwrap_or_default()),
                ];
                command::run(argv, &self.project, &environment, ticket)
            }
        }
    }
}

fn answers(url: &str, expected: u16, ticket: &Ticket<'_>) -> Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_millis(ticket.deadline_ms.min(ANSWER_MS_MAX))))
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into();
    match agent.get(url).header("x-preview", "1").call() {
        Ok(answer) if answer.status().as_u16() == expected => Ok(()),
        Ok(answer) => {
            let found = answer.status().as_u16();
            Err(Failure::Definite(format!("{url} answered {found} instead of {expected}")))
        }
        Err(error) => Err(Failure::Transient(format!("{url}: {error}"))),
    }
}
