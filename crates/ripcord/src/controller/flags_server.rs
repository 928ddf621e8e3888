//! The process that serves the flags of an environment: started under a shim of its own, adopted
//! after a restart, and stopped where the configuration no longer has one.

use crate::controller::Controller;
use crate::controller::environment::EnvironmentControl;
use crate::failure::{Code, Failure};
use ripcord_engine::{Failure as EngineFailure, Ledger};
use ripcord_platforms::{Limits, Unit, UnitSpec};
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The size at which the server's log is put aside and begun anew.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// How long a flags server may take to listen after its start.
const READY: Duration = Duration::from_secs(10);

/// How long it may take to end: what is in flight, and a little.
const STOP_MS: u64 = 10_000;

impl Controller {
    /// Starts the flags server unless it runs, and waits until it listens.
    pub(crate) fn start_flags_server(
        &self,
        environment: &EnvironmentControl,
    ) -> Result<(), Failure> {
        let failed = |why: String| {
            let what = format!("the flags server of {}: {why}", environment.name);
            Failure::new(Code::FlagsNotServed, what)
        };
        self.ensure_flags_server(environment).map_err(|error| failed(error.to_string()))?;
        let Some(server) = environment.settings().flags_server else { return Ok(()) };
        let unit = flags_unit(environment);
        let began = Instant::now();
        while TcpStream::connect_timeout(&server.local(), Duration::from_secs(1)).is_err() {
            let last = unit.last_lines(3).join("\n");
            let in_use = last.contains("in use");
            if began.elapsed() > READY || in_use {
                if in_use {
                    // A server that cannot listen would only be restarted for ever.
                    drop(unit.stop());
                }
                return Err(failed(format!("it does not answer: {last}"))
                    .hint(format!("is something else listening on {}?", server.listen)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ensures that the flags server's process runs if there is to be one, and that none runs if
    /// not; its shim keeps it so.
    pub(crate) fn ensure_flags_server(
        &self,
        environment: &EnvironmentControl,
    ) -> Result<(), EngineFailure> {
        let unit = flags_unit(environment);
        let Some(spec) = self.flags_server_spec(environment) else {
            return if unit.is_running() {
                unit.stop().map_err(EngineFailure::transient)
            } else {
                Ok(())
            };
        };
        let launcher = [self.program.clone(), "instance".into()];
        unit.ensure_running(&spec, &launcher, self.ledger.fence())
            .map(drop)
            .map_err(EngineFailure::transient)
    }

    fn flags_server_spec(&self, environment: &EnvironmentControl) -> Option<UnitSpec> {
        let server = environment.settings().flags_server?;
        let layout = &environment.layout;
        let mut command = vec![
            self.program.to_string_lossy().into_owned(),
            "flags".to_owned(),
            "serve".to_owned(),
            "--file".to_owned(),
            layout.flags().display().to_string(),
            "--listen".to_owned(),
            server.listen.to_string(),
        ];
        if let Some(keys) = &server.keys {
            command.extend(["--keys".to_owned(), keys.display().to_string()]);
        }
        for origin in server.origins {
            command.extend(["--origin".to_owned(), origin]);
        }
        Some(UnitSpec {
            command,
            working_directory: layout.root().to_owned(),
            environment: BTreeMap::new(),
            port: None,
            health: None,
            stop_ms: STOP_MS,
            limits: Limits::default(),
            log: layout.logs().join("flags.log"),
            log_bytes_max: LOG_BYTES_MAX,
            fence_file: None,
        })
    }
}

pub(crate) fn flags_unit(environment: &EnvironmentControl) -> Unit {
    Unit::at(environment.layout.flags_unit())
}
