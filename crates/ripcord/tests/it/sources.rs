//! Sources of metrics that are slow, ask to be left alone, or talk nonsense: nobody is promoted
//! or taken back for that, and a person is told what each of them did.

use crate::canary::{ended, spawn, until_traffic};
use crate::site::Site;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A server that counts requests of both releases, until it is to be bad.
struct Counts {
    address: SocketAddr,
    bad: Arc<AtomicBool>,
}

impl Counts {
    fn start() -> Counts {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let bad = Arc::new(AtomicBool::new(false));
        let (told, began) = (Arc::clone(&bad), Instant::now());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let bad = told.load(Ordering::SeqCst);
                // A question that is not answered must not keep others from being asked.
                thread::spawn(move || drop(answer(stream, bad, began)));
            }
        });
        Counts { address, bad }
    }

    /// A metric whose source goes bad in the way of this name.
    fn metric(&self, name: &str) -> String {
        let Counts { address, .. } = self;
        format!(
            "[[environments.test.judge.metric]]\nname = \"{name}\"\nsource = \"{name}\"\n\
             errors = \"failed-{{release}}\"\nrequests = \"all-{{release}}\"\nevery = \"1s\"\n\
             [metrics.sources.{name}]\ntype = \"web\"\npointer = \"/value\"\ntimeout = \"1s\"\n\
             url = \"http://{address}/{name}?of={{query}}\"\n"
        )
    }
}

fn answer(mut stream: TcpStream, bad: bool, began: Instant) -> std::io::Result<()> {
    let mut request = [0; 4_096];
    let length = stream.read(&mut request)?;
    let line = String::from_utf8_lossy(&request[..length]).into_owned();
    let all = began.elapsed().as_millis() / 10 + 1;
    let value = if line.contains("of=all-") { all } else { 0 };
    let (status, head, body) = match line.split(['/', '?']).nth(1) {
        Some("slow") if bad => {
            thread::sleep(Duration::from_secs(20));
            return Ok(());
        }
        Some("busy") if bad => ("429 Too Many Requests", "retry-after: 60\r\n", String::new()),
        Some("wrong") if bad => ("200 OK", "", r#"{"value":"NaN"}"#.to_owned()),
        Some("gone") if bad => ("200 OK", "", "{}".to_owned()),
        _ => ("200 OK", "", format!("{{\"value\":{value}}}")),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// It takes some seconds, since a source is asked once a second, and silence is borne three times.
#[test]
fn sources_that_go_bad_leave_it_undecided() {
    let mut site = Site::open();
    site.deploy("v1-good");
    let counts = Counts::start();
    let metrics: String =
        ["slow", "busy", "wrong", "gone"].iter().map(|name| counts.metric(name)).collect();
    site.dress_with("v2-additive", |text| {
        format!(
            "{text}strategy = \"canary\"\nsteps = [\"50%\", \"analysis 5m\"]\nlease = \"10s\"\n\
             [environments.test.judge]\nmetrics = [\"errors\"]\n\
             blind_timeout = \"4s\"\n{metrics}"
        )
    });
    let second = site.freeze();
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "v2 50 %");
    counts.bad.store(true, Ordering::SeqCst);
    // The requests alone would have promoted it a few seconds later.
    let load = site.load(100);
    ended(deploy, 5);
    drop(load.stop());
    let status = site.status();
    assert_eq!(status["operation"]["phase"], "undecided", "{status}");
    assert_eq!(status["live"], "v1");
    let judged = &status["operation"]["rollout"]["judged"];
    let of = |name: &str| {
        let metrics = judged["metrics"].as_array().unwrap().iter();
        let found: Vec<&Value> = metrics.filter(|one| one["name"] == name).collect();
        assert_eq!(found[0]["state"], "blind", "{judged}");
        assert_eq!(found[0]["bound"], "by reading");
        found[0]["words"].as_str().unwrap().to_owned()
    };
    for (name, told) in [
        ("slow", "did not answer within 1000 ms"),
        ("busy", "is asked too often"),
        ("wrong", "answered with no number"),
        ("gone", "is not known"),
    ] {
        assert!(of(name).contains(told), "{name}: {}", of(name));
    }
    // Nor does a plan begin with such sources.
    site.run(&["abort"]).expect(0);
    site.until("it is back", Duration::from_secs(20), |site| {
        site.status()["operation"] == Value::Null
    });
    let refused = site.run(&["retry", &second]).expect(3);
    assert!(refused.stderr.contains("RC0222"), "{}", refused.stderr);
    site.close();
}
