//! How a release takes over, in words: the steps of a canary, stickiness, and how long the
//! instances of a release that was taken back stay. Steps are short texts, so that a whole canary
//! fits one line.

use crate::config::problem::value_error;
use crate::config::proportion::percent;
use crate::config::quantity::Duration;
use crate::config::suggestion::nearest;
use crate::config::text::shown;
use ripcord_core::model::CanaryStep;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::traffic::{Match, Pattern, Share, StickyKey, WHOLE};
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// How long the judge may take when nobody says.
pub(crate) const ANALYSIS_MS: Millis = 10 * 60_000;

/// The longest name and value of a header or cookie.
const NAME_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 256;

/// What a hint says when a step is none.
const FORMS: &str = "a step is \"5%\", \"pause\", \"pause 2m\", \"analysis 10m\", \
                     \"header NAME = VALUE\", \"cookie NAME = VALUE\" or \"no route\"";

/// How users keep their release.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "StickyText")]
pub(crate) struct Sticky(pub(crate) StickyKey);

/// How long instances stay; none: until another release needs their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "KeepText")]
pub(crate) struct Keep(pub(crate) Option<Millis>);

/// One step: a share ("5%"), "pause" until a person promotes or "pause 2m", "analysis" until the
/// release is shown to be no worse ("analysis 30m": a person is asked after that time; 10m unless
/// said), "header NAME = VALUE" or "cookie NAME = VALUE" for requests that always go to the canary
/// (a value that ends with * is a beginning; without a value it only has to be there), "no route"
/// to end that.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "stands for its schema alone")]
pub(crate) struct Step(
    #[schemars(regex(
        pattern = "^([0-9]+([.][0-9]{1,2})?%|(pause|analysis)( +[0-9]+(ms|s|m|h|d))?|(header|cookie) .+|no route)$"
    ))]
    String,
);

/// "cookie NAME" or "header NAME".
#[derive(JsonSchema)]
#[schemars(transparent, rename = "Sticky")]
#[expect(dead_code, reason = "stands for its schema alone")]
struct StickyText(#[schemars(regex(pattern = "^(cookie|header) .+$"))] String);

/// A duration, or "keep".
#[derive(JsonSchema)]
#[schemars(transparent, rename = "Keep")]
#[expect(dead_code, reason = "stands for its schema alone")]
struct KeepText(#[schemars(regex(pattern = "^([0-9]+(ms|s|m|h|d)|keep)$"))] String);

/// What is wrong, and what to write instead.
pub(super) type Wrong = (String, String);

/// What a text means as a step of a canary. The file holds texts, since an error must point at one
/// of a list.
pub(super) fn parse(text: &str) -> Result<CanaryStep, Wrong> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    Ok(match word {
        "pause" if rest.is_empty() => CanaryStep::Pause(None),
        "pause" => CanaryStep::Pause(Some(time(rest)?)),
        "analysis" if rest.is_empty() => CanaryStep::Analysis(ANALYSIS_MS),
        "analysis" => CanaryStep::Analysis(time(rest)?),
        "header" | "cookie" => CanaryStep::SetHeaderRoute(Some(route(word, rest)?)),
        "no" if rest == "route" => CanaryStep::SetHeaderRoute(None),
        _ if text.ends_with('%') => CanaryStep::SetWeight(weight(text)?),
        _ => {
            let near = nearest(word, &["pause", "analysis", "header", "cookie"]);
            let hint = near.map_or(FORMS.to_owned(), |near| format!("did you mean `{near}`?"));
            return Err((format!("`{}` is no step", shown(text)), hint));
        }
    })
}

fn weight(text: &str) -> Result<Share, Wrong> {
    let share = percent(text, 2).and_then(|share| Share::try_from(share).ok());
    let wrong =
        |hint: &str| (format!("`{}` is no share for a canary", shown(text)), hint.to_owned());
    match share {
        Some(share) if (1..WHOLE).contains(&share) => Ok(share),
        Some(WHOLE) => Err(wrong("leave it out: after the last step the release gets everything")),
        _ => Err(wrong("write 0.01% to 99.99% with at most two decimals, such as \"5%\"")),
    }
}

fn time(text: &str) -> Result<Millis, Wrong> {
    match Duration::parse(text) {
        Some(Duration { ms: 0 }) => Err((
            "nothing happens in no time".to_owned(),
            "give it some, such as \"2m\"".to_owned(),
        )),
        Some(duration) => Ok(duration.ms),
        None => Err((
            format!("`{}` is not a duration", shown(text)),
            "write a whole number and ms, s, m, h or d, such as \"10m\"; at most \"365d\""
                .to_owned(),
        )),
    }
}

/// `NAME = VALUE`, `NAME = BEGINNING*` or `NAME`.
fn route(kind: &str, text: &str) -> Result<Match, Wrong> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
        None => (text, None),
    };
    let name = name_of(kind, name)?;
    let value = match value {
        None => Pattern::Present,
        Some(value) => pattern(kind, &name, value)?,
    };
    Ok(match kind {
        "cookie" => Match::Cookie { name, value },
        _ => Match::Header { name, value },
    })
}

fn pattern(kind: &str, name: &str, value: &str) -> Result<Pattern, Wrong> {
    let visible = value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if !visible || value.len() > VALUE_BYTES_MAX {
        return Err((
            format!("`{}` cannot be the value of a {kind}", shown(value)),
            format!("write at most {VALUE_BYTES_MAX} visible ASCII characters"),
        ));
    }
    match value.strip_suffix('*') {
        None if !value.is_empty() => Ok(Pattern::Is(value.to_owned())),
        Some(beginning) if !beginning.is_empty() => Ok(Pattern::Prefix(beginning.to_owned())),
        _ => Err((
            format!("nothing is said about the value of the {kind} {name}"),
            format!("write \"{kind} {name}\" if it only has to be there"),
        )),
    }
}

fn name_of(kind: &str, name: &str) -> Result<String, Wrong> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(token) {
        return Ok(name.to_owned());
    }
    Err((
        format!("`{}` is not the name of a {kind}", shown(name)),
        format!("such a name has letters, digits and `-`, and is at most {NAME_BYTES_MAX} long"),
    ))
}

fn refused<E: Error>((what, hint): Wrong) -> E {
    value_error(what, hint)
}

impl<'de> Deserialize<'de> for Sticky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sticky, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once(' ') {
            Some((kind @ ("cookie" | "header"), name)) => {
                let name = name_of(kind, name.trim()).map_err(refused)?;
                Ok(Sticky(match kind {
                    "cookie" => StickyKey::Cookie { name },
                    _ => StickyKey::Header { name },
                }))
            }
            _ => Err(value_error(
                format!("`{}` does not say what tells users apart", shown(&text)),
                "write \"cookie NAME\", which the proxy sets, or \"header NAME\"",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keep, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "keep" {
            return Ok(Keep(None));
        }
        let kept = Duration::parse(&text).map(|duration| Keep(Some(duration.ms)));
        kept.ok_or_else(|| {
            value_error(
                format!("`{}` is neither a duration nor `keep`", shown(&text)),
                "write how long, such as \"30s\", or \"keep\" until another release needs the place",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: CanaryStep) {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }

    #[test]
    fn shares() {
        check("5%", CanaryStep::SetWeight(500));
        check("0.01%", CanaryStep::SetWeight(1));
        check("99.99%", CanaryStep::SetWeight(9_999));
        check("12.5%", CanaryStep::SetWeight(1_250));
        for text in ["0%", "100%", "101%", "0.001%", "-5%", "5 %", "%", "5%%", "700%"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pauses_and_analyses() {
        check("pause", CanaryStep::Pause(None));
        check("pause 2m", CanaryStep::Pause(Some(120_000)));
        check("analysis", CanaryStep::Analysis(600_000));
        check("analysis  1h", CanaryStep::Analysis(3_600_000));
        for text in
            ["pause 2", "pause 0s", "analysis 366d", "analysis soon", "pause2m", "Pause", ""]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn routes() {
        let header = |name: &str, value| {
            CanaryStep::SetHeaderRoute(Some(Match::Header { name: name.to_owned(), value }))
        };
        let cookie = |name: &str, value| {
            CanaryStep::SetHeaderRoute(Some(Match::Cookie { name: name.to_owned(), value }))
        };
        check("header X-Tester = yes", header("X-Tester", Pattern::Is("yes".into())));
        check("header X-Tester=a=b c", header("X-Tester", Pattern::Is("a=b c".into())));
        check("header X-Tester", header("X-Tester", Pattern::Present));
        check("header User-Agent = curl/*", header("User-Agent", Pattern::Prefix("curl/".into())));
        check("cookie beta = on", cookie("beta", Pattern::Is("on".into())));
        check("no route", CanaryStep::SetHeaderRoute(None));
        for text in [
            "header",
            "header = yes",
            "header X Tester = yes",
            "header X-Tester =",
            "header X-Tester = *",
            "header X-Tester = \u{e9}",
            "no header",
            "no",
            "query x = y",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let long = format!("header {} = x", "a".repeat(NAME_BYTES_MAX + 1));
        assert!(parse(&long).is_err());
        let long = format!("header a = {}", "x".repeat(VALUE_BYTES_MAX + 1));
        assert!(parse(&long).is_err());
    }
}
