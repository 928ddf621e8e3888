//! What an instance is one of: the web of a release, or one of its roles. Its name is the name of
//! a unit directory, so that what was started is found again by whoever comes later.

use ripcord_core::model::ReleaseId;
use ripcord_engine::{Failure, Result};
use std::fmt;
use std::path::PathBuf;

/// Stands between release and role in the name of a unit; no release has it in its name.
const ROLE_SIGN: char = '@';

/// A part of a release that has instances of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) release: ReleaseId,
    /// None for the web: the instances that answer requests.
    pub(super) role: Option<String>,
}

impl Part {
    pub(super) fn web(release: &ReleaseId) -> Part {
        Part { release: release.clone(), role: None }
    }

    pub(super) fn role(release: &ReleaseId, role: &str) -> Part {
        Part { release: release.clone(), role: Some(role.to_owned()) }
    }

    /// Refuses names that could be no file or another part's.
    pub(super) fn check(&self) -> Result<()> {
        if !is_plain(self.release.as_str()) {
            let what = format!("«{}» is not the name of a release", self.release);
            return Err(Failure::definite(what));
        }
        match &self.role {
            Some(role) if !is_plain(role) => {
                Err(Failure::definite(format!("«{role}» is not the name of a role")))
            }
            _ => Ok(()),
        }
    }

    /// The name of the directory of one of its units.
    pub(super) fn unit_name(&self, number: u32) -> String {
        match &self.role {
            None => format!("{}-{number}", self.release),
            Some(role) => format!("{}{ROLE_SIGN}{role}-{number}", self.release),
        }
    }

    /// Where one of its units logs, below the directory of logs.
    pub(super) fn log_name(&self, number: u32) -> PathBuf {
        let file = match &self.role {
            None => format!("{number}.log"),
            Some(role) => format!("{role}-{number}.log"),
        };
        PathBuf::from(self.release.as_str()).join(file)
    }

    /// Part and number of a unit directory's name.
    pub(super) fn parse(unit_name: &str) -> Option<(Part, u32)> {
        let (name, number) = unit_name.rsplit_once('-')?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || number.starts_with('0') {
            return None;
        }
        let (release, role) = match name.split_once(ROLE_SIGN) {
            Some((release, role)) => (release, Some(role.to_owned())),
            None => (name, None),
        };
        let part = Part { release: release.into(), role };
        part.check().ok()?;
        Some((part, number.parse().ok()?))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.role {
            None => write!(f, "{}", self.release),
            Some(role) => write!(f, "{} {role}", self.release),
        }
    }
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_units() {
        let check = |name: &str, expected: Option<(Part, u32)>| {
            assert_eq!(Part::parse(name), expected, "{name}");
            if let Some((part, number)) = expected {
                assert_eq!(part.unit_name(number), name);
            }
        };
        let web = |release: &str| Part::web(&release.into());
        let role = |release: &str, role: &str| Part::role(&release.into(), role);
        check("v1-1", Some((web("v1"), 1)));
        check("v1-12", Some((web("v1"), 12)));
        check("a-b-2", Some((web("a-b"), 2)));
        check("v1@worker-1", Some((role("v1", "worker"), 1)));
        check("a-b@mail-worker-12", Some((role("a-b", "mail-worker"), 12)));
        for name in [
            "v1-01",
            "v1-0",
            "v1-",
            "-1",
            "fence",
            "v1-99999999999",
            "v1@-1",
            "@worker-1",
            "v1@a@b-1",
            "v1@.a-1",
        ] {
            check(name, None);
        }
    }

    #[test]
    fn logs_of_a_role_are_beside_those_of_the_web() {
        let v1 = "v1".into();
        assert_eq!(Part::web(&v1).log_name(2), PathBuf::from("v1/2.log"));
        assert_eq!(Part::role(&v1, "worker").log_name(2), PathBuf::from("v1/worker-2.log"));
    }
}
