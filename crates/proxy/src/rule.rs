//! Requests that go to a certain release whatever the split says: testers, a region, a customer.
//!
//! Whoever can send a header or a cookie can match a rule: rules divide, they do not protect. The
//! first rule that matches wins. Rules hold on the main listener only, and what they send is
//! in no comparison, because no chance sent it.

use hyper::header::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::cookie;
use crate::draw::{broken_cookie, broken_header};
use crate::state::{ReleaseName, State};

const MAX_RULES: usize = 32;
const MAX_VALUE_BYTES: usize = 256;

/// Sends what matches to a release.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests.
    pub when: Match,
    /// Where to.
    pub to: ReleaseName,
}

/// What a request must carry.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Match {
    /// A header; of several with this name, any.
    Header {
        /// Its name, in lower case or not.
        name: String,
        /// What its value must be.
        value: Pattern,
    },
    /// A cookie; of several with this name, the first.
    Cookie {
        /// Its name.
        name: String,
        /// What its value must be.
        value: Pattern,
    },
}

/// What a value must be, byte for byte.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pattern {
    /// Exactly this.
    Is(String),
    /// It begins with this.
    Prefix(String),
    /// Anything, as long as it is there.
    Present,
}

impl Match {
    /// Whether a request with these headers is meant.
    pub(crate) fn is_met(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Header { name, value } => {
                headers.get_all(name).iter().any(|found| value.fits(found.as_bytes()))
            }
            Self::Cookie { name, value } => {
                cookie::find(headers, name).is_some_and(|found| value.fits(found))
            }
        }
    }

    fn broken_rule(&self) -> Option<String> {
        let (broken, value) = match self {
            Self::Header { name, value } => (broken_header(name), value),
            Self::Cookie { name, value } => (broken_cookie(name), value),
        };
        broken.or_else(|| value.broken_rule())
    }
}

impl Pattern {
    fn fits(&self, value: &[u8]) -> bool {
        match self {
            Self::Is(text) => value == text.as_bytes(),
            Self::Prefix(text) => value.starts_with(text.as_bytes()),
            Self::Present => true,
        }
    }

    fn broken_rule(&self) -> Option<String> {
        let (Self::Is(text) | Self::Prefix(text)) = self else { return None };
        (text.len() > MAX_VALUE_BYTES)
            .then(|| format!("a rule compares with more than {MAX_VALUE_BYTES} bytes"))
    }
}

/// What is wrong with the rules of a state.
pub(crate) fn broken(state: &State) -> Option<String> {
    if state.rules.len() > MAX_RULES {
        return Some(format!("more than {MAX_RULES} rules"));
    }
    state.rules.iter().find_map(|Rule { when, to }| {
        if !state.targets.contains_key(to) {
            return Some(format!("a rule names {to}, which has no targets"));
        }
        when.broken_rule()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(when: &str, met: &[&str], unmet: &[&str]) {
        let when: Match = serde_json::from_str(when).unwrap();
        assert_eq!(when.broken_rule(), None);
        let is_met = |lines: &str| {
            let mut headers = HeaderMap::new();
            for line in lines.split('\n').filter(|line| !line.is_empty()) {
                let (name, value) = line.split_once(": ").unwrap();
                let name: hyper::header::HeaderName = name.parse().unwrap();
                headers.append(name, value.parse().unwrap());
            }
            when.is_met(&headers)
        };
        for lines in met {
            assert!(is_met(lines), "{when:?} {lines:?}");
        }
        for lines in unmet {
            assert!(!is_met(lines), "{when:?} {lines:?}");
        }
    }

    #[test]
    fn headers_and_cookies_are_matched() {
        check(
            r#"{"header":{"name":"X-Tester","value":{"is":"yes"}}}"#,
            &["x-tester: yes", "X-Tester: no\nx-tester: yes"],
            &["", "x-tester: yes!", "x-tester: Yes", "cookie: x-tester=yes"],
        );
        check(
            r#"{"header":{"name":"x-region","value":{"prefix":"eu-"}}}"#,
            &["x-region: eu-west", "x-region: eu-"],
            &["x-region: us-eu-", "x-region: eu"],
        );
        check(
            r#"{"cookie":{"name":"beta","value":"present"}}"#,
            &["cookie: a=1; beta=", "cookie: beta=0"],
            &["cookie: alphabeta=1", "beta: 1"],
        );
        check(
            r#"{"cookie":{"name":"beta","value":{"is":""}}}"#,
            &["cookie: beta="],
            &["cookie: beta=1", ""],
        );
    }
}
