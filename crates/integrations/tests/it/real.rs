//! A real Prometheus of the test's own, and what it collects from.

use crate::server::{Server, response};
use crate::support::{prometheus, read, until};
use ripcord_integrations::Sources;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// Ends the server and clears its data away when the test's process ends, however it ends: then
/// the pipe closes that this script reads.
const KEEPER: &str = r#"
    prometheus --config.file="$1/p.yml" --storage.tsdb.path="$1/data" \
        --web.listen-address=127.0.0.1:0 >"$1/log" 2>&1 &
    read -r _
    exec 2>/dev/null
    kill -9 $!
    wait $!
    rm -rf "$1"
"#;

/// A server that scrapes a shop twice a second.
pub(crate) struct Real {
    pub(crate) sources: Sources,
    keeper: Child,
    _shop: Server,
}

/// One for all tests that only ask.
pub(crate) fn shared() -> &'static Sources {
    static SHARED: LazyLock<Real> = LazyLock::new(Real::start);
    &SHARED.sources
}

impl Real {
    pub(crate) fn start() -> Real {
        let shop = shop();
        let folder = TempDir::new().unwrap().keep();
        let target = shop.url.trim_start_matches("http://");
        let config = format!(
            "scrape_configs:\n- job_name: shop\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\n  \
             static_configs:\n  - targets: [\"{target}\"]\n"
        );
        fs::write(folder.join("p.yml"), config).unwrap();
        let keeper = Command::new("sh")
            // Whoever interrupts the tests must not interrupt the clearing away.
            .process_group(0)
            .args(["-c", KEEPER, "keeper"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = None;
        until("prometheus listens", || {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            address = log
                .lines()
                .find(|line| line.contains("msg=\"Listening on\""))
                .and_then(|line| line.split("address=").nth(1))
                .map(|address| address.trim().to_owned());
            address.is_some()
        });
        let sources = prometheus(&format!("http://{}", address.unwrap()));
        until("prometheus has looked three times", || {
            let looks = read(&sources, "count_over_time(up{job=\"shop\"}[1m])");
            matches!(looks, Ok(Some(looks)) if looks >= 3.0)
        });
        Real { sources, keeper, _shop: shop }
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().unwrap();
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Two releases of a shop: each look sees 90 more requests of v1 and 10 more of v2, with errors.
fn shop() -> Server {
    let looks = AtomicU64::new(0);
    Server::start(move |_, stream| {
        let look = looks.fetch_add(1, Ordering::SeqCst) + 1;
        let body = format!(
            "http_requests_total{{release=\"v1\"}} {}\n\
             http_requests_total{{release=\"v2\"}} {}\n\
             http_errors_total{{release=\"v1\"}} {}\n\
             http_errors_total{{release=\"v2\"}} {}\n\
             http_5xx_total 3\n\
             checkout_seconds{{release=\"v1\",quantile=\"0.99\"}} 0.25\n\
             idle_requests_total 7\n\
             idle_errors_total 0\n",
            90 * look,
            10 * look,
            9 * look,
            5 * look,
        );
        let answer = response("200 OK", "content-type: text/plain\r\n", &body);
        drop(stream.write_all(answer.as_bytes()));
    })
}
