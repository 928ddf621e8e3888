//! Which migrations to run, or to take back, and in which order. What stands in the way is said
//! before anything happens. Pure.

use crate::formats::{Format, MigrationKind};
use crate::postgres::history::{Remark, Stand, Standing};
use thiserror::Error;

/// How far to go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back<'a> {
    /// Until this version is the last one in force; `0` for none.
    To(&'a str),
    /// So many runs.
    Steps(usize),
}

/// A run that is in force, or not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its number; later ones are greater.
    pub id: i64,
    /// The version; of a repeatable one, its name.
    pub version: String,
    /// What its author called it.
    pub name: String,
    /// How often it runs.
    pub kind: MigrationKind,
    /// Whether it is being taken back already.
    pub undoing: bool,
    /// Whether a script that takes it back was stored with it.
    pub has_down: bool,
}

/// What may be passed over by choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passing {
    /// Versions below one that is in force.
    pub late: bool,
    /// Files that are not what was applied.
    pub changed: bool,
    /// Versions in force that have no file.
    pub missing: bool,
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Hindrance {
    /// No such version.
    #[error("no migration here has the version {version}")]
    UnknownVersion {
        /// What was asked for.
        version: String,
    },
    /// The tool says that something failed.
    #[error("version {version} failed when the folder's own tool ran it")]
    Failed {
        /// Which.
        version: String,
    },
    /// A run is only half taken back.
    #[error("version {version} is only half taken back")]
    HalfUndone {
        /// Which.
        version: String,
    },
    /// A run is not through yet.
    #[error("version {version} did not get through yet")]
    Unfinished {
        /// Which.
        version: String,
    },
    /// A file is not what was applied, and the tool would refuse it.
    #[error("version {version} was changed after it was applied")]
    Changed {
        /// Which.
        version: String,
    },
    /// A version has no file, and the tool would refuse that.
    #[error("version {version} is in force and has no file in the folder")]
    Missing {
        /// Which.
        version: String,
    },
    /// A version comes late, and the tool would not run it.
    #[error("version {version} comes before {last}, which is in force")]
    Late {
        /// Which.
        version: String,
        /// The last one in force.
        last: String,
    },
    /// Another tool ran what is to be taken back.
    #[error("version {version} was run by another tool, so it is not known how to take it back")]
    Elsewhere {
        /// Which.
        version: String,
    },
}

/// The migrations to run: what is not finished first, then what is open, in the folder's order.
///
/// # Errors
///
/// What stands in the way.
pub fn to_run(
    tool: Format,
    standings: &[Standing],
    to: Option<&str>,
    pass: Passing,
) -> Result<Vec<usize>, Hindrance> {
    let last = match to {
        None => standings.len(),
        Some(to) => 1 + place(standings, to)?,
    };
    for one in standings {
        hindered(tool, one, pass)?;
    }
    let versioned = |one: &&Standing| one.kind != MigrationKind::Repeatable;
    let in_force = standings.iter().filter(versioned).rfind(|one| one.stand == Stand::Applied);
    let mut chosen: Vec<usize> = Vec::new();
    for (at, one) in standings.iter().enumerate() {
        let within = at < last && (to.is_none() || versioned(&one));
        let Some(index) = one.index.filter(|_| within) else { continue };
        match one.stand {
            Stand::Unfinished => chosen.insert(0, index),
            _ if one.is_open() => {
                if one.says(Remark::OutOfOrder) && !pass.late && !runs_late(tool) {
                    let last = in_force.map(|one| one.version.clone()).unwrap_or_default();
                    return Err(Hindrance::Late { version: one.version.clone(), last });
                }
                chosen.push(index);
            }
            _ => {}
        }
    }
    Ok(chosen)
}

/// The runs to take back, the latest first.
///
/// # Errors
///
/// What stands in the way.
pub fn to_take_back(
    standings: &[Standing],
    runs: &[Ran],
    back: Back<'_>,
) -> Result<Vec<i64>, Hindrance> {
    if let Some(one) = standings.iter().find(|one| one.stand == Stand::Unfinished) {
        return Err(Hindrance::Unfinished { version: one.version.clone() });
    }
    let mut latest: Vec<&Ran> = runs.iter().collect();
    latest.sort_by_key(|ran| std::cmp::Reverse((ran.undoing, ran.id)));
    let after = |version: &str, than: Option<usize>| {
        let at = standings.iter().position(|one| one.version == version);
        // What has no file any more came after all that have one, or nobody can tell.
        at.is_none_or(|at| than.is_none_or(|than| at > than) || standings[at].index.is_none())
    };
    let chosen: Vec<&Ran> = match back {
        Back::Steps(count) => latest.into_iter().take(count).collect(),
        Back::To(version) => {
            let than = if version == "0" { None } else { Some(place(standings, version)?) };
            let versioned =
                |ran: &&Ran| ran.kind != MigrationKind::Repeatable && after(&ran.version, than);
            let first = runs.iter().filter(versioned).map(|ran| ran.id).min();
            let goes = |ran: &&Ran| match ran.kind {
                MigrationKind::Repeatable => than.is_none() || first.is_some_and(|f| ran.id > f),
                _ => after(&ran.version, than),
            };
            latest.into_iter().filter(goes).collect()
        }
    };
    // What another tool ran later hangs on what is to go.
    let from = match back {
        Back::To("0") => Some(0),
        Back::To(version) => Some(place(standings, version)? + 1),
        Back::Steps(0) => None,
        Back::Steps(_) => {
            let versions = chosen.iter().filter(|ran| ran.kind != MigrationKind::Repeatable);
            let places = versions
                .filter_map(|ran| standings.iter().position(|one| one.version == ran.version));
            // With nothing left of one's own to take back, the next would be another tool's.
            if chosen.is_empty() { Some(0) } else { places.min() }
        }
    };
    let later = standings.iter().skip(from.unwrap_or(standings.len()));
    let is_elsewhere = |one: &&Standing| {
        one.says(Remark::AppliedElsewhere) && one.kind == MigrationKind::Versioned
    };
    if let Some(one) = later.filter(|one| one.stand == Stand::Applied).rfind(is_elsewhere) {
        return Err(Hindrance::Elsewhere { version: one.version.clone() });
    }
    Ok(chosen.into_iter().map(|ran| ran.id).collect())
}

fn hindered(tool: Format, one: &Standing, pass: Passing) -> Result<(), Hindrance> {
    let version = one.version.clone();
    let has_checksums = matches!(tool, Format::Flyway | Format::Sqlx | Format::Refinery);
    let needs_file = has_checksums || tool == Format::GolangMigrate;
    let versioned = one.kind != MigrationKind::Repeatable;
    match one.stand {
        Stand::Failed => return Err(Hindrance::Failed { version }),
        Stand::HalfUndone => return Err(Hindrance::HalfUndone { version }),
        _ => {}
    }
    let changed = one.says(Remark::Changed) && one.stand == Stand::Applied;
    if changed && versioned && has_checksums && !pass.changed {
        return Err(Hindrance::Changed { version });
    }
    if one.says(Remark::FileMissing) && versioned && needs_file && !pass.missing {
        return Err(Hindrance::Missing { version });
    }
    Ok(())
}

/// Whether a tool runs what comes late without being asked to.
fn runs_late(tool: Format) -> bool {
    matches!(tool, Format::Sqlx | Format::Diesel | Format::Dbmate | Format::SqlMigrate)
}

/// Where a version is. Numbers may be written with leading zeros.
fn place(standings: &[Standing], version: &str) -> Result<usize, Hindrance> {
    let number: Option<u64> = version.parse().ok();
    let is = |one: &Standing| {
        let versioned = one.kind == MigrationKind::Versioned;
        versioned
            && (one.version == version || number.is_some() && one.version.parse().ok() == number)
    };
    let found = standings.iter().position(is);
    found.ok_or_else(|| Hindrance::UnknownVersion { version: version.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standings from words: `1a` applied, `2p` pending, `3e` applied elsewhere, `4!` failed, `5c`
    /// applied and changed since, `6m` applied without a file, `7u` not finished, `Ra` repeatable.
    fn standings(words: &str) -> Vec<Standing> {
        let mut all: Vec<Standing> = Vec::new();
        for (index, word) in words.split(' ').enumerate() {
            let (version, sign) = word.split_at(1);
            let stand = match sign {
                "p" => Stand::Pending,
                "!" => Stand::Failed,
                "u" => Stand::Unfinished,
                "h" => Stand::HalfUndone,
                _ => Stand::Applied,
            };
            let remark = match sign {
                "e" => Some(Remark::AppliedElsewhere),
                "c" => Some(Remark::Changed),
                "m" => Some(Remark::FileMissing),
                _ => None,
            };
            let repeatable = version == "R";
            all.push(Standing {
                version: version.to_owned(),
                name: String::new(),
                kind: if repeatable { MigrationKind::Repeatable } else { MigrationKind::Versioned },
                stand,
                remarks: remark.into_iter().collect(),
                applied_at: None,
                undone_at: None,
                index: (sign != "m").then_some(index),
                run: None,
            });
        }
        crate::postgres::history::standing::out_of_order(&mut all);
        all
    }

    fn up(tool: Format, words: &str, to: Option<&str>) -> String {
        match to_run(tool, &standings(words), to, Passing::default()) {
            Ok(chosen) => format!("{chosen:?}"),
            Err(hindrance) => hindrance.to_string(),
        }
    }

    #[test]
    fn what_is_open_runs_in_order() {
        let plain = |words, to| up(Format::Plain, words, to);
        assert_eq!(plain("1a 2p 3p", None), "[1, 2]");
        assert_eq!(plain("1p 2p 3p Rp", None), "[0, 1, 2, 3]");
        assert_eq!(plain("1p 2p 3p Rp", Some("2")), "[0, 1]");
        assert_eq!(plain("1p 2p", Some("02")), "[0, 1]");
        assert_eq!(plain("1a 2a", None), "[]");
        assert_eq!(plain("1p 2u 3p", None), "[1, 0, 2]");
        assert_eq!(plain("1a Rc", None), "[1]");
        assert_eq!(plain("1p", Some("9")), "no migration here has the version 9");
    }

    #[test]
    fn what_the_tool_would_refuse_is_refused() {
        let late = "version 1 comes before 2, which is in force";
        for tool in Format::ALL {
            let expected = if runs_late(tool) { "[0]" } else { late };
            assert_eq!(up(tool, "1p 2a", None), expected, "{tool}");
        }
        let changed = "version 1 was changed after it was applied";
        assert_eq!(up(Format::Sqlx, "1c 2p", None), changed);
        assert_eq!(up(Format::Dbmate, "1c 2p", None), "[1]");
        let missing = "version 2 is in force and has no file in the folder";
        assert_eq!(up(Format::Flyway, "1a 2m", None), missing);
        assert_eq!(up(Format::Goose, "1a 2m", None), "[]");
        let failed = "version 2 failed when the folder's own tool ran it";
        assert_eq!(up(Format::GolangMigrate, "1a 2! 3p", None), failed);
        assert_eq!(up(Format::Plain, "1h 2p", None), "version 1 is only half taken back");
    }

    fn down(words: &str, runs: &str, back: Back<'_>) -> String {
        let ran = |word: &str| {
            let (id, version) = word.split_once('=').unwrap();
            let kind = if version.starts_with('R') {
                MigrationKind::Repeatable
            } else {
                MigrationKind::Versioned
            };
            let undoing = version.ends_with('h');
            let version = version.trim_end_matches('h').to_owned();
            Ran {
                id: id.parse().unwrap(),
                version,
                name: String::new(),
                kind,
                undoing,
                has_down: true,
            }
        };
        let runs: Vec<Ran> = runs.split(' ').filter(|word| !word.is_empty()).map(ran).collect();
        match to_take_back(&standings(words), &runs, back) {
            Ok(chosen) => format!("{chosen:?}"),
            Err(hindrance) => hindrance.to_string(),
        }
    }

    #[test]
    fn the_latest_goes_first() {
        let runs = "1=1 2=2 3=3 4=R 5=R";
        let words = "1a 2a 3a Ra";
        assert_eq!(down(words, runs, Back::Steps(1)), "[5]");
        assert_eq!(down(words, runs, Back::Steps(3)), "[5, 4, 3]");
        assert_eq!(down(words, runs, Back::Steps(9)), "[5, 4, 3, 2, 1]");
        assert_eq!(down(words, runs, Back::To("2")), "[5, 4, 3]");
        assert_eq!(down(words, runs, Back::To("3")), "[]");
        assert_eq!(down(words, runs, Back::To("0")), "[5, 4, 3, 2, 1]");
        assert_eq!(down(words, "1=1 2=R 3=2", Back::To("1")), "[3]");
        assert_eq!(down(words, "1=1 2=3 3=2", Back::To("2")), "[2]");
        assert_eq!(down("1a 2h", "1=1 2=2h", Back::Steps(1)), "[2]");
        let unfinished = "version 2 did not get through yet";
        assert_eq!(down("1a 2u", "1=1", Back::Steps(1)), unfinished);
        assert_eq!(down(words, runs, Back::To("9")), "no migration here has the version 9");
        assert_eq!(down("1a 2m", "1=1 2=2", Back::To("1")), "[2]");
    }

    #[test]
    fn what_another_tool_ran_stands_in_the_way() {
        let other = "version 2 was run by another tool, so it is not known how to take it back";
        assert_eq!(down("1a 2e", "1=1", Back::Steps(1)), other);
        assert_eq!(down("1a 2e", "1=1", Back::To("1")), other);
        assert_eq!(down("1e 2e", "", Back::Steps(1)), other);
        assert_eq!(down("1e 2a", "1=2", Back::Steps(1)), "[1]");
        assert_eq!(down("1e 2a", "1=2", Back::To("1")), "[1]");
    }
}
