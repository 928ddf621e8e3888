//! What a release wants of its flags, written into its document when it is frozen, so that people
//! can see beforehand what a deploy will put in force.

use crate::config::{Config, Switch};
use crate::failure::{Code, Failure};
use crate::flags::edit::{divided, on_variant, unknown};
use crate::flags::keeper::invalid;
use crate::flags::parts::parts;
use crate::flags::share::hundredths;
use ripcord_core::flag::Part;
use ripcord_core::model::{FlagWish, MigrationVersion, ReleaseMigration};
use ripcord_flags::{Document, TargetRules};
use std::collections::{BTreeMap, BTreeSet};

/// The document with the wishes of the configuration in it, and the wishes.
pub(crate) fn wished(
    config: &Config,
    text: String,
    migrations: &BTreeSet<MigrationVersion>,
) -> Result<(String, BTreeMap<String, FlagWish>), Failure> {
    let mut wishes = BTreeMap::new();
    let Some(flags) = &config.document().flags else { return Ok((text, wishes)) };
    if flags.release.is_empty() {
        return Ok((text, wishes));
    }
    let known = parts(&text)?;
    let mut document = Document::parse(text.as_bytes()).map_err(invalid)?;
    for (key, spanned) in &flags.release {
        let (key, said) = (key.as_str(), spanned.get_ref());
        let at = |failure: Failure| failure.at(config.show(spanned.span()));
        let wish = FlagWish {
            want: said.want.as_ref().map(|want| want.as_str().to_owned()),
            requires_schema: said.requires_schema.map(MigrationVersion),
        };
        if let Some(version) = wish.requires_schema.filter(|one| !migrations.contains(one)) {
            let what = format!("flag {key} needs migration {version}, which the release lacks");
            return Err(at(Failure::new(Code::FlagRefused, what)
                .hint("requires_schema is the version of one of its migrations")));
        }
        if !known.contains_key(&Part::Flag(key.to_owned())) {
            return Err(at(unknown(key, &known)));
        }
        // Whatever belongs to a release must be able to go off with it.
        document.off(key, TargetRules::Drop).map_err(|error| at(invalid(error)))?;
        if let Some(want) = &wish.want {
            document = wanted(&document, key, want).map_err(at)?;
        }
        wishes.insert(key.to_owned(), wish);
    }
    Ok((document.text().to_owned(), wishes))
}

/// What a release wants of flags at other people's services.
pub(crate) fn at_services(
    config: &Config,
    migrations: &[ReleaseMigration],
) -> Result<BTreeMap<String, BTreeMap<String, FlagWish>>, Failure> {
    let mut services: BTreeMap<String, BTreeMap<String, FlagWish>> = BTreeMap::new();
    for (service, flags) in &config.document().flag_services {
        for (key, spanned) in flags {
            let said = spanned.get_ref();
            let want = said.want.map(|want| match want {
                Switch::On => "on".to_owned(),
                Switch::Off => "off".to_owned(),
            });
            let requires_schema = said.requires_schema.map(MigrationVersion);
            let has = |version| migrations.iter().any(|one| one.migration.version == version);
            if let Some(version) = requires_schema.filter(|version| !has(*version)) {
                let key = key.as_str();
                let what = format!("flag {key} needs migration {version}, which the release lacks");
                return Err(Failure::new(Code::FlagRefused, what)
                    .at(config.show(spanned.span()))
                    .hint("requires_schema is the version of one of its migrations"));
            }
            let wish = FlagWish { want, requires_schema };
            let of_service = services.entry(service.as_str().to_owned()).or_default();
            of_service.insert(key.as_str().to_owned(), wish);
        }
    }
    Ok(services)
}

/// The document with a flag as it is wished for: `on`, `off`, a variant, or a share such as `25%`.
fn wanted(document: &Document, key: &str, want: &str) -> Result<Document, Failure> {
    let changed = match want {
        "on" => document.on(key, TargetRules::Drop),
        "off" => document.off(key, TargetRules::Drop),
        share if share.ends_with('%') => {
            let variant = on_variant(document, key).map_err(invalid)?;
            divided(document, key, variant, hundredths(share)?)
        }
        variant => document.set_default(key, Some(variant)),
    };
    changed.map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes() {
        let text = r#"{"flags":{"f":{"state":"ENABLED","variants":{"on":1,"off":2,"blue":3},"defaultVariant":"off"}}}"#;
        let document = Document::parse(text.as_bytes()).unwrap();
        let check = |want: &str, expected: &str| {
            let found = wanted(&document, "f", want);
            let text = found.map_or_else(|failure| failure.error, |one| one.text().to_owned());
            assert!(text.contains(expected), "{want}: {text}");
        };
        check("on", r#""defaultVariant":"on""#);
        check("off", r#""defaultVariant":"off""#);
        check("blue", r#""defaultVariant":"blue""#);
        check("25%", "fractional");
        check("red", "red");
        check("125%", "`125%` is not a share");
    }
}
