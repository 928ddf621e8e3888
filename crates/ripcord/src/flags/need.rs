//! Which flags need which migration, and whether the database has it: such a flag is never served
//! on without.

use crate::failure::{Code, Failure};
use ripcord_core::model::{MigrationVersion, Release};
use std::collections::{BTreeMap, BTreeSet};

/// The migration that a flag needs, by flag.
pub(crate) type Needs = BTreeMap<String, MigrationVersion>;

/// What releases say that their flags need.
pub(crate) fn needs<'a>(releases: impl IntoIterator<Item = &'a Release>) -> Needs {
    let wishes = releases.into_iter().flat_map(|release| &release.flags.wishes);
    wishes.filter_map(|(key, wish)| Some((key.clone(), wish.requires_schema?))).collect()
}

/// Refuses to touch a flag that lacks its ground.
pub(crate) fn unmet(
    flags: &BTreeSet<String>,
    needs: &Needs,
    applied: &BTreeSet<MigrationVersion>,
) -> Result<(), Failure> {
    for flag in flags {
        if let Some(version) = needs.get(flag).filter(|version| !applied.contains(version)) {
            let what = format!("flag {flag} needs migration {version}, which the database lacks");
            return Err(Failure::new(Code::FlagNeedsSchema, what).hint(
                "deploy the release that brings the migration; the flag can go off any time",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lacks_its_ground_is_refused() {
        let needs = Needs::from([("checkout".to_owned(), MigrationVersion(7))]);
        let flags = |flag: &str| BTreeSet::from([flag.to_owned()]);
        let check = |flag: &str, applied: &[u64], expected: bool| {
            let applied = applied.iter().copied().map(MigrationVersion).collect();
            assert_eq!(unmet(&flags(flag), &needs, &applied).is_ok(), expected, "{flag}");
        };
        check("checkout", &[1, 7], true);
        check("checkout", &[1], false);
        check("other", &[], true);
    }
}
