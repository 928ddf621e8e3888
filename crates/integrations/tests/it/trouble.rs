//! Servers that are silent, slow, overloaded, or talk nonsense. Each is asked once and no more.

use crate::server::{Server, response};
use crate::support::{NAME, prometheus, read, sources, try_out};
use ripcord_integrations::{SourceError, Sources};
use serde_json::json;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const VECTOR: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"5"]}]}}"#;
const NAMES: &str = r#"{"status":"success","data":["http_errors_total"]}"#;

fn impatient(url: &str) -> Sources {
    sources(json!({"prometheus": {"url": url, "timeout_ms": 300}}))
}

/// What a server of this behaviour leads to, having been asked once within bounds of time.
fn trouble(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> SourceError {
    trouble_of(prometheus, answer)
}

fn trouble_of(
    sources: impl Fn(&str) -> Sources,
    answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
) -> SourceError {
    let server = Server::start(answer);
    let began = Instant::now();
    let error = read(&sources(&server.url), "up").unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(server.hits(), 1, "{error}");
    assert!(error.to_string().contains(&server.url), "{error}");
    error
}

fn nonsense(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static, part: &str) {
    let error = trouble(answer);
    assert!(matches!(error, SourceError::Nonsense { .. }), "{error:?}");
    assert!(error.to_string().contains(part), "{error}");
}

fn says(status: &str, body: &str) -> impl Fn(&str, &mut TcpStream) + Send + Sync + 'static {
    let answer = response(status, "", body);
    move |_, stream| drop(stream.write_all(answer.as_bytes()))
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = read(&impatient(&url), "up").unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
}

#[test]
fn silence_is_slow() {
    let error = trouble_of(impatient, |_, _| thread::sleep(Duration::from_secs(4)));
    assert!(matches!(error, SourceError::Slow { timeout_ms: 300, .. }), "{error:?}");
}

#[test]
fn a_trickle_is_slow() {
    let error = trouble_of(impatient, |_, stream| {
        let head = response("200 OK", "", &" ".repeat(500));
        drop(stream.write_all(head.trim_end_matches(' ').as_bytes()));
        for _ in 0..80 {
            thread::sleep(Duration::from_millis(50));
            if stream.write_all(b" ").is_err() {
                break;
            }
        }
    });
    assert!(matches!(error, SourceError::Slow { timeout_ms: 300, .. }), "{error:?}");
}

#[test]
fn a_connection_that_breaks_is_unreachable() {
    let error = trouble(|_, _| {});
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    let error = trouble(|_, stream| {
        let whole = response("200 OK", "", VECTOR);
        drop(stream.write_all(&whole.as_bytes()[..whole.len() - 10]));
    });
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
}

#[test]
fn nonsense_is_said() {
    nonsense(|_, stream| drop(stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")), "HTTP");
    nonsense(says("200 OK", "<html>sign in</html>"), "<html>sign in</html>");
    nonsense(says("200 OK", "{\"value\": 5}"), "{\"value\": 5}");
    nonsense(says("200 OK", &VECTOR.replace("\"5\"", "\"five\"")), "five");
    nonsense(says("200 OK", &VECTOR.replace("\"5\"", "\"-Inf\"")), "-Inf");
    nonsense(says("200 OK", &VECTOR.replace("\"5\"", "5")), "not what Prometheus says");
    nonsense(
        says("200 OK", &VECTOR.replace("\"value\":[1,\"5\"]", "\"histogram\":[1,{}]")),
        "histogram",
    );
    nonsense(says("200 OK", "{\"status\":\"success\"}"), "a range or a text");
}

#[test]
fn large_answers_are_not_read() {
    let padded = format!("{VECTOR}{}", " ".repeat(1_000_000));
    nonsense(says("200 OK", &padded), "larger than 1000000 bytes");
    nonsense(
        |_, stream| {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"));
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(65_536));
            // Without a bound this would go on until the timeout.
            for _ in 0..1_000 {
                if stream.write_all(chunk.as_bytes()).is_err() {
                    break;
                }
            }
        },
        "larger than 1000000 bytes",
    );
    nonsense(
        |_, stream| {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\n"));
            let header = format!("x: {}\r\n", "x".repeat(10_000));
            for _ in 0..1_000 {
                if stream.write_all(header.as_bytes()).is_err() {
                    break;
                }
            }
        },
        "HTTP",
    );
}

#[test]
fn parts_are_no_answer() {
    let with = |warning: &str| {
        VECTOR.replace("\"data\"", &format!("\"warnings\":[\"{warning}\"],\"data\""))
    };
    nonsense(says("200 OK", &with("store 2 did not answer")), "store 2 did not answer");
    let server = Server::says("200 OK", "", &with("PromQL info: might not be a counter"));
    assert_eq!(read(&prometheus(&server.url), "up"), Ok(Some(5.0)));
}

#[test]
fn refusals_say_the_status() {
    let check = |status: &str, body: &str, expected: u16, said_expected: &str| {
        let error = trouble(says(status, body));
        let SourceError::Refused { status, said, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*status, said.as_str()), (expected, said_expected));
    };
    check("401 Unauthorized", "who are you?\n", 401, "who are you?");
    check("502 Bad Gateway", "<html>\n\n  oh no</html>", 502, "<html> oh no</html>");
    check("404 Not Found", "", 404, "");
    let unready = r#"{"status":"error","errorType":"unavailable","error":"not ready"}"#;
    check("500 Internal Server Error", VECTOR, 500, VECTOR);
    check("503 Service Unavailable", unready, 503, unready);
}

#[test]
fn who_asks_to_be_left_alone_is() {
    let server = Server::start(|_, stream| {
        thread::sleep(Duration::from_millis(100));
        let answer = response("429 Too Many Requests", "retry-after: 5\r\n", "");
        drop(stream.write_all(answer.as_bytes()));
    });
    let sources = prometheus(&server.url);
    let ask = |now_ms| match sources.read(NAME, "up", now_ms).unwrap_err() {
        SourceError::TooManyRequests { retry_after_ms, .. } => retry_after_ms,
        error => panic!("{error:?}"),
    };
    assert_eq!(ask(1_000), 5_000);
    let left = ask(1_001);
    // The wait counts from the answer, which took a while.
    assert!((5_099..=9_999).contains(&left), "{left}");
    assert_eq!(ask(6_000), left - 4_999, "time passes by the caller's clock");
    assert!(matches!(sources.try_out(NAME, "up", 6_000), Err(SourceError::TooManyRequests { .. })));
    assert_eq!(server.hits(), 1, "it was asked meanwhile");
    assert_eq!(ask(1_001 + left), 5_000);
    assert_eq!(server.hits(), 2, "it was not asked again");
}

#[test]
fn one_source_that_is_left_alone_stops_no_other() {
    let busy = Server::says("429 Too Many Requests", "retry-after: 5\r\n", "");
    let idle = Server::says("200 OK", "", VECTOR);
    let config = |url: &str| serde_json::from_value(json!({"prometheus": {"url": url}})).unwrap();
    let both = [("busy".to_owned(), config(&busy.url)), ("idle".to_owned(), config(&idle.url))];
    let sources = Sources::new(both.into()).unwrap();
    assert!(sources.read("busy", "up", 0).is_err());
    assert_eq!(sources.read("idle", "up", 0), Ok(Some(5.0)));
}

#[test]
fn a_list_of_metrics_that_fails_costs_only_the_advice() {
    let with_names = |status: &'static str, names: String| {
        Server::start(move |request, stream| {
            let body = if request.starts_with("GET /api/v1/label/__name__/values ") {
                response(status, "", &names)
            } else {
                response("200 OK", "", VECTOR)
            };
            drop(stream.write_all(body.as_bytes()));
        })
    };
    let tried = |status, names: &str| {
        let server = with_names(status, names.to_owned());
        let result = try_out(&prometheus(&server.url), "http_error_total");
        assert_eq!(server.hits(), 2);
        result
    };
    let misspelt = tried("200 OK", NAMES);
    assert!(matches!(misspelt, Err(SourceError::NoSuchMetric { .. })), "{misspelt:?}");
    assert_eq!(tried("403 Forbidden", ""), Ok(Some(5.0)));
    assert_eq!(tried("200 OK", &format!("{NAMES}{}", " ".repeat(4_000_000))), Ok(Some(5.0)));
    let busy = tried("429 Too Many Requests", "");
    assert!(matches!(busy, Err(SourceError::TooManyRequests { .. })), "{busy:?}");
}

#[test]
fn the_token_is_sent_and_the_path_kept() {
    let server = Server::start(|request, stream| {
        let sound = request.starts_with("GET /tenant/api/v1/query?query=up%7Ba%3D%22b%22%7D ")
            && request.contains("authorization: Bearer hush-hush\r\n");
        let answer = response(if sound { "200 OK" } else { "400 Bad Request" }, "", VECTOR);
        drop(stream.write_all(answer.as_bytes()));
    });
    let sources = sources(json!({"prometheus": {
        "url": format!("{}/tenant/", server.url),
        "headers": {"authorization": "Bearer hush-hush"},
    }}));
    assert_eq!(read(&sources, "up{a=\"b\"}"), Ok(Some(5.0)));
    assert!(!format!("{sources:?}").contains("hush"), "{sources:?}");
}

#[test]
fn each_question_has_a_connection_of_its_own() {
    // The connection stays open, but nobody reads from it any more.
    let server = Server::start(|_, stream| {
        drop(stream.write_all(response("200 OK", "", VECTOR).as_bytes()));
        thread::sleep(Duration::from_secs(1));
    });
    let sources = prometheus(&server.url);
    for _ in 0..2 {
        assert_eq!(read(&sources, "up"), Ok(Some(5.0)));
    }
    assert_eq!(server.hits(), 2);
}

#[test]
fn a_query_too_long_for_an_address_is_not_sent() {
    let server = Server::says("200 OK", "", VECTOR);
    let error = read(&prometheus(&server.url), &"x".repeat(100_000)).unwrap_err();
    assert!(matches!(error, SourceError::Query { .. }), "{error:?}");
    assert_eq!(server.hits(), 0);
}
