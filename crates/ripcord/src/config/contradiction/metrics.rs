//! Contradictions about what the judge looks at: metrics without a source, sources that could
//! never answer, limits that limit nothing.

use super::contradiction;
use crate::config::document::Environment;
use crate::config::file::Config;
use crate::config::judge::{Judge, Metric};
use crate::config::suggestion::nearest;
use crate::config::text::Name;
use crate::failure::Failure;
use ripcord_integrations::Sources;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// The names of what the judge sees in the requests themselves.
const OWN: [&str; 2] = ["errors", "latency"];

/// The least pause between two looks at a source.
const EVERY_MS_MIN: u64 = 1_000;

/// The longest that a source may be waited for.
const TIMEOUT_MS_MAX: u64 = 60_000;

/// Each source has what it needs and could answer.
pub(super) fn sources(config: &Config) -> Result<(), Failure> {
    for (name, source) in &config.document().metrics.sources {
        let written = source.get_ref();
        if let Some((key, span)) = written.foreign_key() {
            let what = format!("a source of this type has no `{key}`");
            return Err(contradiction(config, span, what).hint(
                "`prometheus` has `url`; `web` has `url`, `method`, `body`, `pointer`; \
                       `command` has `command`",
            ));
        }
        if let Some(timeout) = &written.timeout
            && timeout.get_ref().ms > TIMEOUT_MS_MAX
        {
            let what = "a source cannot be waited for that long";
            return Err(contradiction(config, timeout.span(), what).hint("write at most \"60s\""));
        }
        // Whether the secrets exist is another question, for another machine perhaps.
        let resolved = written.resolve(&|_| Ok("secret".to_owned())).and_then(|resolved| {
            let one = BTreeMap::from([(name.as_str().to_owned(), resolved)]);
            Sources::new(one).map(drop).map_err(|error| error.to_string())
        });
        if let Err(why) = resolved {
            return Err(contradiction(config, source.span(), why)
                .hint("see \"Metrics\" in the guide for what each type of source needs"));
        }
    }
    Ok(())
}

/// What the judge of an environment looks at exists and can tell releases apart.
pub(super) fn judged(config: &Config, environment: &Environment) -> Result<(), Failure> {
    let Some(judge) = &environment.judge else { return Ok(()) };
    ratios(config, judge.get_ref())?;
    limits(config, judge.get_ref())?;
    let mut names: Vec<&str> = OWN.to_vec();
    for metric in &judge.get_ref().metric {
        let metric = metric.get_ref();
        let name = metric.name.get_ref().as_str();
        if names.contains(&name) {
            let what = format!("there is a metric `{name}` already");
            return Err(contradiction(config, metric.name.span(), what)
                .hint("give each its own name; `errors` and `latency` are those of the requests"));
        }
        names.push(name);
        source_of(config, &metric.source)?;
        queries(config, metric)?;
    }
    Ok(())
}

fn ratios(config: &Config, judge: &Judge) -> Result<(), Failure> {
    let usual = ripcord_core::analysis::JudgePolicy::default();
    let tolerated = judge.tolerated_ratio.as_ref().map(|ratio| ratio.get_ref().thousandths());
    let promote = judge.promote_ratio.as_ref().map(|ratio| ratio.get_ref().thousandths());
    let tolerated = tolerated.unwrap_or(usual.tolerated_ratio_thousandths);
    if promote.unwrap_or(usual.promote_ratio_thousandths) >= tolerated.max(1_001) {
        return Ok(());
    }
    let written = judge.promote_ratio.as_ref().or(judge.tolerated_ratio.as_ref());
    let span = written.map_or(0..0, Spanned::span);
    let what = "a release that is tolerated could never be promoted";
    Err(contradiction(config, span, what)
        .hint("make `promote_ratio` more than 1 and at least as large as `tolerated_ratio`"))
}

fn limits(config: &Config, judge: &Judge) -> Result<(), Failure> {
    if let Some(errors) = &judge.burn_in_errors
        && *errors.get_ref()
        && judge.burn_in.as_ref().is_some_and(|burn_in| burn_in.get_ref().ms == 0)
    {
        let what = "there is no time in which errors would not count";
        return Err(
            contradiction(config, errors.span(), what).hint("give `burn_in` some, such as \"30s\"")
        );
    }
    let consecutive = judge.consecutive.as_ref().map(Spanned::span);
    let window = judge.window.as_ref().map(Spanned::span);
    match consecutive.or(window) {
        Some(span) if !judge.has_windows() => {
            Err(contradiction(config, span, "there is no fixed limit that this is about")
                .hint("add `max_error_rate` or `max_p99`, or remove it"))
        }
        _ => Ok(()),
    }
}

fn source_of(config: &Config, source: &Spanned<Name>) -> Result<(), Failure> {
    let sources = &config.document().metrics.sources;
    if sources.contains_key(source.get_ref()) {
        return Ok(());
    }
    let wanted = source.get_ref().as_str();
    let known: Vec<&str> = sources.keys().map(Name::as_str).collect();
    let hint = match nearest(wanted, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add [metrics.sources.{wanted}] with `type`"),
    };
    let what = format!("there is no source of metrics `{wanted}`");
    Err(contradiction(config, source.span(), what).hint(hint))
}

fn queries(config: &Config, metric: &Metric) -> Result<(), Failure> {
    let span = |query: &Option<Spanned<_>>| query.as_ref().map(Spanned::span);
    let (errors, requests, value) =
        (span(&metric.errors), span(&metric.requests), span(&metric.value));
    let wrong = |span: Range<usize>, what: &str| Err(contradiction(config, span, what));
    match (errors, requests, value) {
        (Some(_), Some(_), None) | (None, None, Some(_)) => {}
        (errors, requests, value) => {
            let place = errors.or(requests).or(value).unwrap_or(metric.name.span());
            return wrong(place, "a metric has either `errors` and `requests`, or `value`")
                .map_err(|failure: Failure| {
                    failure.hint("two counters that only grow, or one value")
                });
        }
    }
    if let (Some(worse), None) = (&metric.worse, &metric.value) {
        return wrong(worse.span(), "`worse` belongs to `value`")
            .map_err(|failure| failure.hint("of counters, more errors are always worse"));
    }
    if let Some(every) = &metric.every
        && every.get_ref().ms < EVERY_MS_MIN
    {
        return wrong(every.span(), "a source cannot be asked more often than once a second")
            .map_err(|failure| failure.hint("write at least \"1s\""));
    }
    for query in [&metric.errors, &metric.requests, &metric.value].into_iter().flatten() {
        if !query.get_ref().tells_releases_apart() {
            return wrong(query.span(), "this query says the same of every release")
                .map_err(|failure| failure.hint("put {release} where the release stands in it"));
        }
    }
    Ok(())
}
