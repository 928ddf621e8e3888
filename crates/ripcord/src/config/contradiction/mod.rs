//! What no single value shows: keys that contradict each other.

mod metrics;
mod rollout;
mod services;

use crate::config::document::{Check, Database, Engine, Environment};
use crate::config::file::Config;
use crate::config::placeholder::uses;
use crate::config::settings;
use crate::config::text::Name;
use crate::config::variable::Variable;
use crate::failure::{Code, Failure};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

/// Refuses the first contradiction that it finds.
pub(crate) fn check(config: &Config) -> Result<(), Failure> {
    let environments = &config.document().environments;
    if environments.get_ref().is_empty() {
        return Err(contradiction(config, environments.span(), "there is no environment")
            .hint("add one: [environments.production] with `listen = \"127.0.0.1:8080\"`"));
    }
    names(config)?;
    roles(config)?;
    placeholders(config)?;
    for environment in environments.get_ref().values() {
        times(config, environment)?;
        rollout::check(config, environment)?;
        metrics::judged(config, environment)?;
        for check in &environment.checks {
            one_check(config, environment, check.get_ref(), check.span())?;
        }
    }
    metrics::sources(config)?;
    addresses(config)?;
    flags_keys(config)?;
    services::check(config)?;
    databases(config)
}

fn contradiction(config: &Config, span: Range<usize>, what: impl Into<String>) -> Failure {
    Failure::new(Code::ConfigContradiction, what).at(config.show(span))
}

/// The old release stays warm for as long as the new one is watched, or there would be nothing
/// to switch back to in the moment when it is needed.
fn times(config: &Config, environment: &Environment) -> Result<(), Failure> {
    let Some(keep_warm) = &environment.keep_warm else { return Ok(()) };
    let bake_ms = settings::bake_ms(environment);
    if keep_warm.get_ref().ms >= bake_ms {
        return Ok(());
    }
    let what = "`keep_warm` is shorter than `bake`, so a bad release would have nothing to go \
                back to at once";
    Err(contradiction(config, keep_warm.span(), what).hint(format!(
        "make `keep_warm` at least {} s, or `bake` shorter",
        bake_ms.div_ceil(1_000)
    )))
}

fn one_check(
    config: &Config,
    environment: &Environment,
    check: &Check,
    span: Range<usize>,
) -> Result<(), Failure> {
    let wrong = |what: &str| contradiction(config, span.clone(), what);
    match (&check.http, &check.command) {
        (Some(_), Some(_)) | (None, None) => {
            Err(wrong("a check has either `http` or `command`").hint("write one check for each"))
        }
        (None, Some(_)) if check.status.is_some() => {
            Err(wrong("`status` belongs to `http`").hint("a command must exit with 0"))
        }
        (Some(_), None) if environment.preview.is_none() => {
            Err(wrong("a check by `http` needs the preview address")
                .hint("add `preview = \"127.0.0.1:PORT\"` to the environment"))
        }
        _ => Ok(()),
    }
}

/// A listener can be had once.
fn addresses(config: &Config) -> Result<(), Failure> {
    let mut taken: BTreeMap<SocketAddr, &Name> = BTreeMap::new();
    for (name, environment) in config.document().environments.get_ref() {
        let flags = environment.flags.as_ref().map(|flags| &flags.get_ref().serve);
        for address in
            [Some(&environment.listen), environment.preview.as_ref(), flags].into_iter().flatten()
        {
            let wanted = address.get_ref().0;
            let Some(owner) = taken.insert(wanted, name) else { continue };
            let whose = if owner == name {
                "by this environment".to_owned()
            } else {
                format!("by environment `{}`", owner.as_str())
            };
            return Err(contradiction(
                config,
                address.span(),
                format!("{wanted} is used already {whose}"),
            )
            .hint("give each its own port"));
        }
    }
    Ok(())
}

/// Flags say what a product is about to do, so other machines read them with a key only.
fn flags_keys(config: &Config) -> Result<(), Failure> {
    for environment in config.document().environments.get_ref().values() {
        let Some(flags) = environment.flags.as_ref().map(toml::Spanned::get_ref) else { continue };
        let address = flags.serve.get_ref().0;
        if !address.ip().is_loopback() && flags.keys.is_none() {
            let what = format!("{address} can be reached from other machines, so it needs `keys`");
            return Err(contradiction(config, flags.serve.span(), what).hint(
                "add `keys = \"flags.keys\"` and make one with `ripcord flags new-key NAME`",
            ));
        }
    }
    Ok(())
}

/// What makes two databases the same.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    File(PathBuf),
    Address(String),
}

/// Each environment has a database of the service's kind, and two environments on one would migrate
/// it under each other's feet.
fn databases(config: &Config) -> Result<(), Failure> {
    let mut taken: BTreeMap<Place, &Name> = BTreeMap::new();
    let usual = config.document().database.as_ref();
    if let Some(usual) = usual {
        kind(config, usual)?;
    }
    for (name, environment) in config.document().environments.get_ref() {
        let Some((place, span)) = place(config, usual, environment)? else { continue };
        let Some(owner) = taken.insert(place, name) else { continue };
        let what = format!(
            "the environments `{}` and `{}` would use the same database",
            owner.as_str(),
            name.as_str()
        );
        let key = match usual.map(|usual| usual.engine) {
            Some(Engine::Postgres) => "database_url = { secret = \"env:...\" }".to_owned(),
            _ => format!("database = \"{}.db\"", name.as_str()),
        };
        return Err(contradiction(config, span, what)
            .hint(format!("add `{key}` to [environments.{}]", name.as_str())));
    }
    Ok(())
}

/// A file for `SQLite`, an address for `PostgreSQL`.
fn kind(config: &Config, database: &Database) -> Result<(), Failure> {
    let foreign = match database.engine {
        Engine::Sqlite => database.url.as_ref().map(|url| ("url", url.span())),
        Engine::Postgres => database.path.as_ref().map(|path| ("path", path.span())),
    };
    let (engine, wanted) = match database.engine {
        Engine::Sqlite => ("sqlite", "path"),
        Engine::Postgres => ("postgres", "url"),
    };
    if let Some((key, span)) = foreign {
        let what = format!("`{key}` does not belong to the engine `{engine}`");
        return Err(
            contradiction(config, span, what).hint(format!("the database is named by `{wanted}`"))
        );
    }
    let named = |environment: &Environment| match database.engine {
        Engine::Sqlite => environment.database.is_some(),
        Engine::Postgres => environment.database_url.is_some(),
    };
    let missing = match database.engine {
        Engine::Sqlite => database.path.is_none(),
        Engine::Postgres => database.url.is_none(),
    };
    if missing && !config.document().environments.get_ref().values().all(named) {
        let what = format!("the database has no `{wanted}`");
        let hint = match database.engine {
            Engine::Sqlite => "add `path = \"shop.db\"`",
            Engine::Postgres => "add `url = { secret = \"env:DATABASE_URL\" }`",
        };
        return Err(contradiction(config, database.migrations.span(), what).hint(hint));
    }
    Ok(())
}

/// Which database an environment uses, and where that is said.
fn place(
    config: &Config,
    usual: Option<&Database>,
    environment: &Environment,
) -> Result<Option<(Place, Range<usize>)>, Failure> {
    let own = environment.database.as_ref().map(|own| ("database", own.span()));
    let own_url = environment.database_url.as_ref().map(|own| ("database_url", own.span()));
    let Some(usual) = usual else {
        let Some((_, span)) = own.or(own_url) else { return Ok(None) };
        let what = "the environment names a database, but the service has none";
        return Err(contradiction(config, span, what)
            .hint("add [database] with `engine`, `path` and `migrations`"));
    };
    let foreign = match usual.engine {
        Engine::Sqlite => own_url,
        Engine::Postgres => own.clone(),
    };
    if let Some((key, span)) = foreign {
        let what = format!("`{key}` does not belong to the engine of this service's database");
        return Err(contradiction(config, span, what)
            .hint("`database` is a file for sqlite, `database_url` an address for postgres"));
    }
    let otherwise = environment.listen.span();
    Ok(match usual.engine {
        Engine::Sqlite => environment.database.as_ref().or(usual.path.as_ref()).map(|path| {
            let span = own.map_or(otherwise, |(_, span)| span);
            (Place::File(config.resolve(path.get_ref().as_path())), span)
        }),
        Engine::Postgres => environment.database_url.as_ref().or(usual.url.as_ref()).map(|url| {
            let span = environment.database_url.as_ref().map_or(otherwise, toml::Spanned::span);
            (Place::Address(url.get_ref().frozen()), span)
        }),
    })
}

fn names(config: &Config) -> Result<(), Failure> {
    let mut seen: Vec<&Name> = Vec::new();
    for infrastructure in &config.document().infrastructure {
        let name = infrastructure.name.get_ref();
        if seen.contains(&name) {
            let what = format!("there are two pieces of infrastructure `{}`", name.as_str());
            return Err(contradiction(config, infrastructure.name.span(), what)
                .hint("give each its own name"));
        }
        seen.push(name);
    }
    let mut paths = Vec::new();
    for file in &config.document().config.files {
        if paths.contains(&file.get_ref()) {
            return Err(contradiction(config, file.span(), "this file is named twice")
                .hint("remove one of the two"));
        }
        paths.push(file.get_ref());
    }
    Ok(())
}

/// The instances that answer requests have this name for themselves.
fn roles(config: &Config) -> Result<(), Failure> {
    for (name, role) in &config.document().roles {
        if name.as_str() == "web" {
            let what = "`web` is the name of the instances that answer requests";
            return Err(contradiction(config, role.span(), what).hint(
                "name the role after what it does; the command of the web is in [artifact]",
            ));
        }
    }
    Ok(())
}

/// A placeholder needs what it stands for.
fn placeholders(config: &Config) -> Result<(), Failure> {
    let document = config.document();
    let check = |text: &str, span: Range<usize>| {
        let missing = match () {
            () if uses(text, "database") && document.database.is_none() => "database",
            () if uses(text, "flags") && document.flags.is_none() => "flags",
            () if uses(text, "config") && document.config.files.is_empty() => "config",
            () => return Ok(()),
        };
        let hint = match missing {
            "database" => "add [database] with `engine`, `path` and `migrations`",
            "flags" => "add [flags] with `file`",
            _ => "add the files to `files` under [config]",
        };
        let what = format!("{{{missing}}} stands for nothing, because there is none");
        Err(contradiction(config, span, what).hint(hint))
    };
    let commands = document.roles.values().map(|role| &role.get_ref().command);
    for command in commands.chain([&document.artifact.command]) {
        for word in command.get_ref().words() {
            check(word, command.span())?;
        }
    }
    for variable in document.config.environment.values() {
        if let Variable::Plain(text) = variable.get_ref() {
            check(text, variable.span())?;
        }
    }
    Ok(())
}
