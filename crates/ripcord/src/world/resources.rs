//! A user's own infrastructure, by the user's own commands.

use crate::world::command;
use ripcord_core::model::policy::ResourceSpec;
use ripcord_core::model::{EnvironmentName, ReleaseId};
use ripcord_core::plan::ResourceState;
use ripcord_core::run::Receipt;
use ripcord_engine::{Resources, Result, Ticket};
use std::path::PathBuf;

/// Runs `apply` and `revert` in the project's directory. The commands must be safe to repeat,
/// since one whose outcome is unknown is run again; `RIPCORD_KEY` is the same each time.
#[derive(Debug)]
pub(crate) struct CommandResources {
    pub(crate) project: PathBuf,
    pub(crate) environment: EnvironmentName,
}

impl Resources for CommandResources {
    fn ensure(
        &self,
        resource: &ResourceSpec,
        release: &ReleaseId,
        state: ResourceState,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let (argv, verb) = match state {
            ResourceState::Applied => (&resource.apply, "applied"),
            ResourceState::Reverted => (&resource.revert, "reverted"),
        };
        let environment = [
            ("RIPCORD_RELEASE", release.to_string()),
            ("RIPCORD_ENVIRONMENT", self.environment.to_string()),
            ("RIPCORD_KEY", format!("{}/{}/{verb}", ticket.plan, ticket.step)),
        ];
        command::run(argv, &self.project, &environment, ticket)?;
        Ok(Receipt::of(format!("{} {verb}", resource.name)))
    }
}
