//! A share of users for a new variant. The new variant stands first, so that raising its share
//! only adds users and lowering it only takes users away.

use crate::document::Document;
use crate::edit::chain::Chain;
use crate::edit::flag::find;
use crate::error::FlagsError;
use crate::form::FlagForm;
use crate::text::{Node, parse, quote};

/// A share of users for a variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// The variant they get.
    pub variant: String,
    /// What the others get: the variant that the rollout has already, else the default.
    pub rest: Option<String>,
    /// The share, from 0 to 100, with at most three decimals.
    pub percent: f64,
}

impl Document {
    /// Gives a share of users a variant, behind the rules for single users.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when there is no such flag or variant, or its rules end in something else
    /// than a share of these two variants.
    pub fn rollout(&self, key: &str, rollout: &Rollout) -> Result<Document, FlagsError> {
        let form = self.form();
        let flag = find(&form, key)?;
        let refused = |why: String| FlagsError::refused(key, why);
        let (share, whole) = weights(rollout.percent).map_err(refused)?;
        let variant = flag.known(&rollout.variant)?;
        let mut chain = Chain::read(flag.targeting, self.text());
        let shares = Shares::read(chain.rest.as_deref()).map_err(|why| refused(why.to_owned()))?;
        let rest = rest_of(flag, rollout, &shares, variant)?;
        if variant == rest {
            return Err(refused(format!("would have `{variant}` on both sides of the share")));
        }
        let first = format!("[{}, {share}]", quote(variant));
        let second = format!("[{}, {}]", quote(&rest), whole - share);
        // A share that runs already keeps its order: turning it round would change who is in it.
        let turned = shares.variants.first().is_some_and(|name| *name == rest);
        let pair = if turned { format!("{second}, {first}") } else { format!("{first}, {second}") };
        let by = shares.by.map(|by| format!("{by}, ")).unwrap_or_default();
        chain.rest = Some(format!("{{\"fractional\": [{by}{pair}]}}"));
        self.set_targeting(key, chain.show().as_deref())
    }

    /// Ends a share: the rules for single users stay, everybody else gets the default.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when there is no such flag, or no share in it.
    pub fn rollout_end(&self, key: &str) -> Result<Document, FlagsError> {
        let form = self.form();
        let flag = find(&form, key)?;
        let mut chain = Chain::read(flag.targeting, self.text());
        match Shares::read(chain.rest.as_deref()) {
            Ok(shares) if !shares.variants.is_empty() => chain.rest = None,
            _ => return Err(FlagsError::refused(key, "has no share of users to end")),
        }
        self.set_targeting(key, chain.show().as_deref())
    }

    /// The share that runs: the variants with their percentages, in their order.
    pub fn shares(&self, key: &str) -> Vec<(String, f64)> {
        let form = self.form();
        form.find(key).map_or(Vec::new(), |flag| shares_of(flag, self.text()))
    }
}

/// The variants of a share with their percentages.
pub(crate) fn shares_of(flag: &FlagForm<'_>, text: &str) -> Vec<(String, f64)> {
    let chain = Chain::read(flag.targeting, text);
    let Ok(shares) = Shares::read(chain.rest.as_deref()) else { return Vec::new() };
    let whole: f64 = shares.weights.iter().sum();
    let percent = |weight: &f64| if whole > 0.0 { weight / whole * 100.0 } else { 0.0 };
    let percents: Vec<f64> = shares.weights.iter().map(percent).collect();
    shares.variants.into_iter().zip(percents).collect()
}

/// The weights of a percentage: of a hundred where it is whole, else of a hundred thousand.
fn weights(percent: f64) -> Result<(u32, u32), String> {
    let scale = if percent.fract() == 0.0 { 1.0 } else { 1000.0 };
    let share = (percent * scale).round();
    if !(0.0..=100.0).contains(&percent) || (share / scale - percent).abs() > 1e-9 {
        return Err(format!(
            "cannot have a share of {percent} %: it is 0 to 100, with at most three decimals"
        ));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 100,000")]
    Ok((share as u32, (scale * 100.0) as u32))
}

/// What the users outside the share get.
fn rest_of(
    flag: &FlagForm<'_>,
    rollout: &Rollout,
    shares: &Shares,
    variant: &str,
) -> Result<String, FlagsError> {
    let refused = |why: String| Err(FlagsError::refused(flag.key, why));
    let running = shares.variants.iter().find(|name| *name != variant);
    let rest = match (&rollout.rest, running, &shares.constant, flag.default) {
        (Some(rest), ..) => rest.as_str(),
        (None, Some(running), ..) => running,
        (None, None, Some(constant), _) => constant,
        (None, None, None, Some(default)) => default,
        (None, None, None, None) => {
            return refused("has no default variant: say what the others get".to_owned());
        }
    };
    let rest = flag.known(rest)?;
    let shown = shares.variants.join("` and `");
    let same = |name: &String| name == variant || name == rest;
    if shares.variants.len() > 2 || !shares.variants.iter().all(same) {
        return refused(format!(
            "splits users over `{shown}` already: end that share first, or change its rules by hand"
        ));
    }
    Ok(rest.to_owned())
}

/// The share at the end of a chain.
#[derive(Debug, Default)]
struct Shares {
    variants: Vec<String>,
    weights: Vec<f64>,
    /// By what users are told apart, where that is said.
    by: Option<String>,
    /// The one variant that stands where a share could.
    constant: Option<String>,
}

const OTHER: &str = "has rules that do not end in a share of users: change them by hand";

impl Shares {
    fn read(rest: Option<&str>) -> Result<Shares, &'static str> {
        let mut shares = Shares::default();
        let Some(rest) = rest.filter(|rest| *rest != "null") else { return Ok(shares) };
        let root = parse(rest).map_err(|_| OTHER)?;
        if let Some(name) = root.as_str() {
            shares.constant = Some(name.to_owned());
            return Ok(shares);
        }
        let Some([only]) = root.members() else { return Err(OTHER) };
        let elements = only.value.elements().filter(|_| &*only.key == "fractional");
        let mut elements = elements.ok_or(OTHER)?;
        if let [first, others @ ..] = elements
            && first.elements().is_none()
        {
            shares.by = Some(first.lexeme(rest).to_owned());
            elements = others;
        }
        for element in elements {
            let (name, weight) = match element.elements() {
                Some([name]) => (name, Some(1.0)),
                Some([name, weight]) => (name, weight.as_number()),
                _ => return Err(OTHER),
            };
            shares.variants.push(Node::as_str(name).ok_or(OTHER)?.to_owned());
            shares.weights.push(weight.ok_or(OTHER)?.max(0.0));
        }
        Ok(shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(targeting: &str) -> Document {
        let text = format!(
            r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"new":1,"old":2,"x":3}},"defaultVariant":"old"{targeting}}}}}}}"#
        );
        Document::parse(text.as_bytes()).expect("a good document")
    }

    fn rules(document: Result<Document, FlagsError>) -> String {
        match document {
            Ok(document) => document.flag("f").and_then(|flag| flag.targeting).unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    fn check(before: &str, percent: f64, expected: &str) {
        let targeting =
            if before.is_empty() { String::new() } else { format!(",\"targeting\":{before}") };
        let rollout = Rollout { variant: "new".into(), rest: None, percent };
        let found = rules(document(&targeting).rollout("f", &rollout));
        assert!(found.contains(expected), "{expected} is not in {found}");
    }

    #[test]
    fn the_new_variant_stands_first() {
        check("", 10.0, r#"{"fractional": [["new", 10], ["old", 90]]}"#);
        check("", 0.5, r#"{"fractional": [["new", 500], ["old", 99500]]}"#);
        check("", 100.0, r#"[["new", 100], ["old", 0]]"#);
        check(r#"{"fractional":[["new",10],["old",90]]}"#, 25.0, r#"[["new", 25], ["old", 75]]"#);
        check(
            r#"{"fractional":[{"var":"org"},["new",10],["old",90]]}"#,
            25.0,
            r#"[{"var":"org"}, ["new", 25], ["old", 75]]"#,
        );
        check(r#"{"fractional":[["old",90],["new",10]]}"#, 25.0, r#"[["old", 75], ["new", 25]]"#);
        check(
            r#"{"if":[{"var":"beta"},"new"]}"#,
            5.0,
            r#"{"if": [{"var":"beta"}, "new", {"fractional": [["new", 5], ["old", 95]]}]}"#,
        );
        check(r#"{"if":[{"var":"beta"},"new","x"]}"#, 5.0, r#"["x", 95]"#);
    }

    #[test]
    fn what_would_re_assign_users_is_refused() {
        check(
            r#"{"fractional":[["x",1],["old",1]]}"#,
            5.0,
            "splits users over `x` and `old` already",
        );
        check(r#"{"fractional":[["x",1],["old",1],["new",1]]}"#, 5.0, "splits users over");
        check(r#"{"var":"v"}"#, 5.0, "do not end in a share");
        check(r#"{"if":[1,"x",{"var":"v"}]}"#, 5.0, "do not end in a share");
        check("", 100.5, "cannot have a share of 100.5 %");
        check("", 0.00001, "at most three decimals");
        check("", f64::NAN, "cannot have a share");
        let both = Rollout { variant: "old".into(), rest: None, percent: 1.0 };
        assert!(rules(document("").rollout("f", &both)).contains("both sides"));
    }

    #[test]
    fn shares_end() {
        let end = |targeting: &str| {
            rules(document(&format!(",\"targeting\":{targeting}")).rollout_end("f"))
        };
        assert_eq!(end(r#"{"fractional":[["new",10],["old",90]]}"#), "");
        assert_eq!(
            end(r#"{"if":[1,"x",{"fractional":[["new",10],["old",90]]}]}"#),
            r#"{"if": [1, "x"]}"#
        );
        assert!(end(r#"{"if":[1,"x"]}"#).contains("no share of users"));
        let running = document(r#","targeting":{"fractional":[["new",1],["old",3]]}"#);
        assert_eq!(running.shares("f"), [("new".to_owned(), 25.0), ("old".to_owned(), 75.0)]);
    }
}
