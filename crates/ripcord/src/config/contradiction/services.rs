//! Contradictions about flags at other people's services: accounts that lack a key, and releases
//! that name a service which no environment has.

use super::contradiction;
use crate::config::file::Config;
use crate::config::suggestion::nearest;
use crate::config::text::Name;
use crate::failure::Failure;
use std::collections::BTreeSet;

/// The longest that clients may take to have a change.
const SETTLE_MS_MAX: u64 = 600_000;

/// The longest that an answer may be waited for.
const TIMEOUT_MS_MAX: u64 = 30_000;

pub(super) fn check(config: &Config) -> Result<(), Failure> {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for environment in config.document().environments.get_ref().values() {
        for (name, table) in &environment.flag_services {
            known.insert(name.as_str());
            let (written, span) = (table.get_ref(), table.span());
            if let Some((key, span)) = written.foreign_key() {
                let what = format!("a service of this type has no `{key}`");
                return Err(contradiction(config, span, what).hint(KEYS));
            }
            let settings = written.resolve().map_err(|key| {
                contradiction(config, span.clone(), format!("the key `{key}` is missing"))
                    .hint(KEYS)
            })?;
            if settings.settle_ms > SETTLE_MS_MAX || settings.timeout_ms > TIMEOUT_MS_MAX {
                let what = "a plan cannot wait for a service that long";
                return Err(contradiction(config, span, what)
                    .hint("`settle` is at most \"10m\", `timeout` at most \"30s\""));
            }
        }
    }
    for (name, flags) in &config.document().flag_services {
        if known.contains(name.as_str()) {
            continue;
        }
        let Some(flag) = flags.values().next() else { continue };
        let what = format!("no environment has a service `{}` for flags", name.as_str());
        let names: Vec<&str> = known.iter().copied().collect();
        return Err(contradiction(config, flag.span(), what).hint(hint(name, &names)));
    }
    Ok(())
}

const KEYS: &str = "`launchdarkly` has `project`, `environment` and `token`; `configcat` has \
                    `credentials` and `sdk_key`";

fn hint(name: &Name, known: &[&str]) -> String {
    match nearest(name.as_str(), known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add [environments.NAME.flag_services.{}] with `type`", name.as_str()),
    }
}
