//! The proxy process of an environment: started under a shim of its own, adopted after a
//! restart, and waited for until it answers.

use crate::controller::Controller;
use crate::controller::environment::EnvironmentControl;
use crate::failure::{Code, Failure};
use ripcord_engine::{Failure as EngineFailure, Ledger};
use ripcord_platforms::{Limits, Unit, UnitSpec};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The size at which the proxy's log is put aside and begun anew.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// How long a proxy may take to answer after its start.
const READY: Duration = Duration::from_secs(10);

impl Controller {
    /// Starts the proxy unless it runs, and waits until it answers.
    pub(crate) fn start_proxy(&self, environment: &EnvironmentControl) -> Result<(), Failure> {
        let unit = proxy_unit(environment);
        self.ensure_proxy(environment)
            .map_err(|error| Failure::new(Code::ProxyNotStarted, error.to_string()))?;
        let began = Instant::now();
        loop {
            if environment.world().traffic.observe().is_ok() {
                return Ok(());
            }
            let last = unit.last_lines(3).join("\n");
            let in_use = last.contains("in use");
            if began.elapsed() > READY || in_use {
                let settings = environment.settings();
                let code = if in_use { Code::PortInUse } else { Code::ProxyNotStarted };
                if in_use {
                    // A proxy that cannot listen would only be restarted for ever.
                    drop(unit.stop());
                }
                return Err(Failure::new(
                    code,
                    format!("the proxy of {} does not answer: {last}", environment.name),
                )
                .hint(format!("is something else listening on {}?", settings.listen)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ensures that the proxy's process runs; its shim keeps it so.
    pub(crate) fn ensure_proxy(
        &self,
        environment: &EnvironmentControl,
    ) -> Result<(), EngineFailure> {
        let launcher = [self.program.clone(), "instance".into()];
        proxy_unit(environment)
            .ensure_running(&self.proxy_spec(environment), &launcher, self.ledger.fence())
            .map(drop)
            .map_err(EngineFailure::transient)
    }

    fn proxy_spec(&self, environment: &EnvironmentControl) -> UnitSpec {
        let settings = environment.settings();
        let layout = &environment.layout;
        let mut command = vec![
            self.program.to_string_lossy().into_owned(),
            "proxy".to_owned(),
            "--state-dir".to_owned(),
            layout.proxy().display().to_string(),
            "--control".to_owned(),
            layout.proxy_control().display().to_string(),
            "--listen".to_owned(),
            settings.listen.to_string(),
            "--health-path".to_owned(),
            settings.health_path.clone(),
        ];
        if let Some(preview) = settings.preview {
            command.extend(["--preview".to_owned(), preview.to_string()]);
        }
        UnitSpec {
            command,
            working_directory: layout.root().to_owned(),
            environment: BTreeMap::new(),
            port: None,
            health: None,
            stop_ms: settings.policy.drain_ms_max + 5_000,
            limits: Limits::default(),
            log: layout.logs().join("proxy.log"),
            log_bytes_max: LOG_BYTES_MAX,
            fence_file: None,
        }
    }
}

pub(crate) fn proxy_unit(environment: &EnvironmentControl) -> Unit {
    Unit::at(environment.layout.proxy_unit())
}
