//! What pages of other origins may do.

use crate::site::{Site, Wish, switch};

const BULK: &str = "POST /ofrep/v1/evaluate/flags";

#[test]
fn a_page_may_ask_and_read_the_tag() {
    let site = Site::of(&switch("a", true));
    let origin = ("origin", "https://shop.example");
    let asked = ("access-control-request-headers", "content-type, authorization, if-none-match");
    let method = ("access-control-request-method", "POST");
    let answer = site.ask("OPTIONS /ofrep/v1/evaluate/flags", &[origin, asked, method], "");
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
    let allowed = answer.header("access-control-allow-headers").unwrap().to_owned();
    for header in ["content-type", "authorization", "x-api-key", "if-none-match"] {
        assert!(allowed.contains(header), "{header} is not in {allowed}");
    }
    let answer = site.ask(BULK, &[origin], "");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("etag"));
    // Errors, too: a page has to read why.
    let answer = site.ask("POST /ofrep/v1/evaluate/flags/none", &[origin], "");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    // What is for this machine alone is for no page.
    let answer = site.ask("GET /ripcord/v1/flags/status", &[origin], "");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None));
}

#[test]
fn with_a_list_only_those_on_it() {
    let origins = vec!["https://shop.example".to_owned()];
    let site = Site::wish(&switch("a", true), &Wish { origins, ..Wish::default() });
    let answer = site.ask(BULK, &[("origin", "https://shop.example")], "");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(answer.header("vary"), Some("origin"));
    let answer = site.ask(BULK, &[("origin", "https://other.example")], "");
    assert_eq!(answer.header("access-control-allow-origin"), None);
}
