//! Values of the moment from a real Prometheus: what it remembers of stable decides about a canary,
//! and where it remembers too little, what an earlier canary showed.

use crate::canary::{ended, spawn, until_traffic};
use crate::site::Site;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How much of the past the server knows, in seconds.
const PAST_S: u64 = 1_500;

/// Ends the server when the test's process ends, however it ends: then the pipe closes that this
/// script reads.
const KEEPER: &str = r#"
    prometheus --config.file="$1/p.yml" --storage.tsdb.path="$1/data" \
        --web.listen-address=127.0.0.1:0 >"$1/log" 2>&1 &
    read -r _
    exec 2>/dev/null
    kill -9 $!
    wait $!
"#;

struct Prometheus {
    keeper: Child,
    address: String,
    shop: Arc<Shop>,
}

/// What the values of canaries are; others are near 100.
struct Shop {
    /// That of v2. Of v1's, the server knows the past.
    queue: AtomicU64,
    /// That of v3. Nobody knows a past of it.
    backlog: AtomicU64,
}

/// Noise of a few percent in which no value has to do with the one before.
fn noise(number: u64) -> u64 {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5EED;
    state ^= state >> 29;
    state.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40 & 7
}

impl Prometheus {
    fn start(folder: &Path) -> Prometheus {
        let values = [(); 2].map(|()| AtomicU64::new(98));
        let [queue, backlog] = values;
        let shop = Arc::new(Shop { queue, backlog });
        let target = shop.serve();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut past = "# TYPE queue_length gauge\n".to_owned();
        for second in now - PAST_S..now - 2 {
            let value = 97 + noise(second);
            writeln!(past, "queue_length{{release=\"v1\"}} {value} {second}").unwrap();
        }
        fs::write(folder.join("past.txt"), past + "# EOF\n").unwrap();
        let written = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([folder.join("past.txt"), folder.join("data")])
            .output()
            .unwrap();
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        let config = format!(
            "scrape_configs:\n- job_name: shop\n  honor_labels: true\n  scrape_interval: 1s\n  \
             scrape_timeout: 1s\n  static_configs:\n  - targets: [\"{target}\"]\n  \
             metric_relabel_configs:\n  - regex: instance|job\n    action: labeldrop\n"
        );
        fs::write(folder.join("p.yml"), config).unwrap();
        let keeper = Command::new("sh")
            .process_group(0)
            .args(["-c", KEEPER, "keeper"])
            .arg(folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let address = until("prometheus listens", || {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            let line = log.lines().find(|line| line.contains("msg=\"Listening on\""))?;
            line.split("address=").nth(1).map(|address| address.trim().to_owned())
        });
        let prometheus = Prometheus { keeper, address, shop };
        prometheus.until_seen("queue_length", 98);
        prometheus
    }

    /// Waits until the newest value of the canary is about this.
    fn until_seen(&self, name: &str, value: u64) {
        let release = if name == "backlog" { "v3" } else { "v2" };
        let query = format!("abs({name}{{release=\"{release}\"}} - {value}) < 5");
        until("prometheus has seen the canary's value", || {
            let url = format!("http://{}/api/v1/query", self.address);
            let answer = ureq::get(url).query("query", &query).call().ok()?;
            let text = answer.into_body().read_to_string().ok()?;
            text.contains("\"value\"").then_some(())
        });
    }

    fn set(&self, name: &str, value: u64) {
        let values = [("queue_length", &self.shop.queue), ("backlog", &self.shop.backlog)];
        let (_, which) = values.into_iter().find(|(known, _)| *known == name).unwrap();
        which.store(value, Ordering::SeqCst);
        self.until_seen(name, value);
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "waited in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

impl Shop {
    /// What the server collects from.
    fn serve(self: &Arc<Shop>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shop = Arc::clone(self);
        thread::spawn(move || {
            for (number, stream) in (0_u64..).zip(listener.incoming()) {
                let Ok(mut stream) = stream else { continue };
                drop(stream.set_read_timeout(Some(Duration::from_secs(5))));
                let mut request = [0; 4_096];
                drop(stream.read(&mut request));
                let body = shop.says(number);
                let length = body.len();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n";
                drop(write!(stream, "{head}content-length: {length}\r\n\r\n{body}"));
            }
        });
        address
    }

    /// The values at one look.
    fn says(&self, number: u64) -> String {
        let [queue, backlog] = [&self.queue, &self.backlog].map(|one| one.load(Ordering::SeqCst));
        // Up and down in turns, so that few values are enough to see that none is like the next.
        let turn = 4 * (number % 2) + noise(number) % 3;
        let mut body = String::new();
        for (name, [first, second, third]) in [
            ("queue_length", [97 + noise(2 * number), queue - 3 + noise(2 * number + 1), 98]),
            ("backlog", [100, 95 + turn, backlog - 3 + turn]),
        ] {
            for (release, value) in [("v1", first), ("v2", second), ("v3", third)] {
                writeln!(body, "{name}{{release=\"{release}\"}} {value}").unwrap();
            }
        }
        body
    }
}

/// A canary that is watched for long enough that the next one can be held against it.
fn judged_by(prometheus: &Prometheus) -> impl Fn(String) -> String {
    let metric = |name: &str, series: &str| {
        format!(
            "[[environments.test.judge.metric]]\nname = \"{name}\"\nsource = \"prometheus\"\n\
             value = '{series}{{release=\"{{release}}\"}}'\nevery = \"1s\"\n"
        )
    };
    let (queue, backlog) = (metric("queue", "queue_length"), metric("backlog", "backlog"));
    let more = format!(
        "strategy = \"canary\"\nsteps = [\"50%\", \"pause 75s\"]\nlease = \"10s\"\n\
         [environments.test.judge]\nmetrics = [\"errors\"]\n{queue}{backlog}\
         [metrics.sources.prometheus]\ntype = \"prometheus\"\nurl = \"http://{}\"\n",
        prometheus.address
    );
    move |text: String| format!("{text}{more}")
}

/// What `status` says of a metric.
fn shown(site: &Site, name: &str) -> Value {
    let metrics = site.status()["operation"]["rollout"]["judged"]["metrics"].clone();
    let all = metrics.as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["name"] == name).unwrap_or_default()
}

/// How often it was learnt what a metric may differ by.
fn calibrations(site: &Site, metric: &str) -> usize {
    let log = site.run(&["ledger", "log", "--json"]).expect(0).stdout;
    let samples = log.lines().filter_map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        let sample = entry["event"]["observed"]["observation"]["sampled"]["sample"].clone();
        (sample["metric"] == metric).then_some(sample)
    });
    samples.filter(|sample| sample["reading"]["calibration"].is_object()).count()
}

/// It takes more than a minute, since no source is asked more often than once a second, and more than
/// fifty values are the least by which one can decide.
#[test]
fn values_of_the_moment_decide_by_the_past_or_by_earlier_canaries() {
    let mut site = Site::open();
    site.deploy("v1-good");
    let folder = site.path().join("prometheus");
    fs::create_dir_all(&folder).unwrap();
    let prometheus = Prometheus::start(&folder);
    site.dress_with("v2-additive", judged_by(&prometheus));
    let second = site.freeze();
    let load = site.load(20);
    let went_back = |site: &Site, release: &str, metric: &str| {
        let told = site.run(&["deploy", release]).expect(4).stderr;
        assert!(told.contains(&format!("{metric}: ")), "{told}");
        assert!(told.contains("values of equal releases"), "{told}");
        let judged = site.run(&["judge", "--ledger", release]).expect(0);
        assert!(judged.stdout.contains("agree"), "{}", judged.stdout);
    };
    // By what the server remembers of v1.
    prometheus.set("queue_length", 200);
    went_back(&site, &second, "queue");
    assert_eq!(site.answering().as_deref(), Some("v1"));
    assert_eq!(calibrations(&site, "queue"), 1);

    // One that is as it was goes on; of what there is no past, nothing follows, and it is said.
    prometheus.set("queue_length", 98);
    let retry = spawn(&site, &["retry", &second]);
    until_traffic(&mut site, "v2 50 %");
    site.until("both are judged", Duration::from_secs(20), |site| {
        shown(site, "queue")["bound"] == "approximate"
            && shown(site, "backlog")["bound"] == "advice"
    });
    let backlog = shown(&site, "backlog");
    assert_eq!(backlog["state"], "blind", "{backlog}");
    // Three metrics share the budget.
    let told = "cannot decide: 57 independent values of two equal releases are needed beforehand";
    assert!(backlog["words"].as_str().unwrap().starts_with(told), "{backlog}");
    patient(retry);
    assert_eq!(site.answering().as_deref(), Some("v2"));

    // By what v2 showed beside v1.
    prometheus.set("backlog", 300);
    fs::write(site.project().join("shop.json"), r#"{"banner":"third","page_size":20}"#).unwrap();
    let third = site.freeze();
    went_back(&site, &third, "backlog");
    assert_eq!(site.answering().as_deref(), Some("v2"));
    assert_eq!(calibrations(&site, "queue"), 3, "once for each rollout");
    drop(load.stop());
    drop(prometheus);
    site.close();
}

/// Waits for a deploy that watches for more than a minute.
fn patient(mut deploy: Child) {
    let began = Instant::now();
    while deploy.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_mins(4) {
        thread::sleep(Duration::from_millis(100));
    }
    ended(deploy, 0);
}
