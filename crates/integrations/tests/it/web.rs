//! A service that answers with JSON.

use crate::server::{Server, response};
use crate::support::{read, sources, try_out};
use ripcord_integrations::SourceError;
use serde_json::{Value, json};
use std::io::Write;

/// A server that answers 1 to a request with all these parts, and says what it got otherwise.
fn expects(parts: &'static [&'static str]) -> Server {
    Server::start(move |request, stream| {
        let answer = match parts.iter().find(|part| !request.contains(*part)) {
            None => response("200 OK", "", "{\"value\": 1}"),
            Some(_) => response("400 Bad Request", "", request),
        };
        drop(stream.write_all(answer.as_bytes()));
    })
}

#[test]
fn the_query_is_part_of_the_address() {
    let server = expects(&["GET /a%20b%26c%3D%7B%22d%22%7D?x=1&q=a%20b%26c%3D%7B%22d%22%7D "]);
    let url = format!("{}/{{query}}?x=1&q={{query}}", server.url);
    let sources = sources(json!({"web": {"url": url, "pointer": "/value"}}));
    assert_eq!(read(&sources, "a b&c={\"d\"}"), Ok(Some(1.0)));
}

#[test]
fn the_query_is_part_of_the_body() {
    let server = expects(&[
        "POST /graphql ",
        "x-api-key: hush-hush\r\n",
        "content-type: application/json\r\n",
        "\r\n\r\n{\"query\":\"error rate of a\\\"b\",\"since\":60}",
    ]);
    let sources = sources(json!({"web": {
        "url": format!("{}/graphql", server.url),
        "method": "POST",
        "headers": {"X-Api-Key": "hush-hush"},
        "body": {"query": "error rate of {query}", "since": 60},
        "pointer": "/value",
    }}));
    assert_eq!(read(&sources, "a\"b"), Ok(Some(1.0)));
}

#[test]
fn what_is_no_number_is_said() {
    let answered = |body: &str| {
        let server = Server::says("200 OK", "", body);
        let url = format!("{}/{{query}}", server.url);
        let sources = sources(json!({"web": {"url": url, "pointer": "/rows/0/value"}}));
        (read(&sources, "q"), try_out(&sources, "q"))
    };
    let nonsense = |body: &str, part: &str| {
        let (read, tried) = answered(body);
        let error = read.unwrap_err();
        assert!(matches!(error, SourceError::Nonsense { .. }), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(tried, Err(error));
    };
    assert_eq!(answered("{\"rows\": [{\"value\": 7}]}").0, Ok(Some(7.0)));
    nonsense("<html>sign in</html>", "<html>sign in</html>");
    nonsense("", "no JSON");
    nonsense("{\"rows\": [{\"value\": 7}]", "no JSON");
    nonsense("{\"rows\": [{\"value\": \"NaN\"}]}", "no number");
    nonsense("{\"rows\": [{\"value\": 1e999}]}", "no JSON");
    nonsense("{\"rows\": [{\"value\": true}]}", "no number");
    nonsense("{\"rows\": [{\"valu\": 7}]}", "\"value\"");
    nonsense("{\"error\": \"quota\"}", "quota");
    let deep: String = "[".repeat(100_000);
    nonsense(&deep, "recursion");
    for empty in ["{\"rows\": []}", "{\"rows\": [{\"value\": null}]}"] {
        let (read, tried) = answered(empty);
        assert_eq!(read, Ok(None));
        assert!(matches!(tried, Err(SourceError::NoData { .. })), "{tried:?}");
    }
}

#[test]
fn tokens_stay_with_the_configured_host() {
    let other = Server::says("200 OK", "", "{\"value\": 1}");
    let location = format!("location: {}/there?key=hush\r\n", other.url);
    let here = Server::says("307 Temporary Redirect", &location, "");
    let sources = sources(json!({"web": {
        "url": format!("{}/{{query}}", here.url),
        "headers": {"X-Api-Key": "hush-hush"},
        "pointer": "/value",
    }}));
    let error = read(&sources, "q").unwrap_err();
    let SourceError::Refused { status: 307, said, .. } = &error else { panic!("{error}") };
    assert!(said.contains(&format!("{}/there", other.url)) && !said.contains("hush"), "{said}");
    assert_eq!((here.hits(), other.hits()), (1, 0));
}

#[test]
fn tokens_that_a_server_repeats_are_not_shown() {
    let server = expects(&["never sent"]);
    let headers: Value = json!({"Authorization": "Bearer hush-hush"});
    let url = format!("{}/{{query}}?key=secret", server.url);
    let sources = sources(json!({"web": {"url": url, "headers": headers, "pointer": "/value"}}));
    let error = read(&sources, "q").unwrap_err();
    let SourceError::Refused { status: 400, at, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*at, format!("{}/{{query}}", server.url));
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("***") && !shown.contains("hush"), "{shown}");
}
