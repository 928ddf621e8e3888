//! The stable codes. Each has a page under `docs/errors`; a number is never given twice.

use crate::failure::Kind;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

macro_rules! codes {
    ($($number:literal $name:ident $kind:ident $title:literal)*) => {
        /// A stable code. Its number says the chapter: 0 usage and configuration, 1 releases and
        /// store, 2 refusals, 3 how plans end, 4 controller and ledger, 9 mistakes of Ripcord.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// All codes, in the order of their numbers.
            pub(crate) const ALL: &[Code] = &[$(Code::$name,)*];

            /// The number, as it is written and looked up.
            pub(crate) fn number(self) -> &'static str {
                match self { $(Code::$name => $number,)* }
            }

            /// What sort of failure it always is.
            pub(crate) fn kind(self) -> Kind {
                match self { $(Code::$name => Kind::$kind,)* }
            }

            /// What it is about, in one line.
            #[cfg(test)]
            pub(crate) fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }
        }
    };
}

codes! {
    "RC0001" Usage Usage "the command was called wrongly"
    "RC0002" ConfigMissing Config "there is no configuration file"
    "RC0003" ConfigUnreadable Config "the configuration file cannot be read"
    "RC0004" ConfigSyntax Config "the configuration file is not TOML"
    "RC0005" ConfigUnknownKey Config "the configuration has a key that does not exist"
    "RC0006" ConfigMissingKey Config "the configuration lacks a key"
    "RC0007" ConfigValue Config "the configuration has an impossible value"
    "RC0008" ConfigContradiction Config "the configuration contradicts itself"
    "RC0009" UnknownEnvironment Usage "there is no environment of this name"
    "RC0010" EnvironmentNeeded Usage "there are several environments and none was named"
    "RC0011" NotLoopback Usage "the controller listens on the loopback address only"
    "RC0012" CannotWrite Usage "a file that was asked for cannot be written"
    "RC0013" CheckFailed Config "the check found something wrong"
    "RC0014" PlanUnreadable Usage "the plan file cannot be read"
    "RC0015" Interrupted Usage "it was interrupted"
    "RC0016" RecordUnreadable Usage "the record of requests cannot be judged"
    "RC0017" UnknownKept Usage "nothing is kept under this number"
    "RC0019" FlagsNeedKeys Usage "other machines read flags only with a key"
    "RC0020" FlagsKeys Config "the keys of the flags server cannot be used"
    "RC0101" InvalidReleaseName Usage "this is not the name of a release"
    "RC0102" UnknownRelease Usage "there is no release of this name"
    "RC0103" ArtifactMissing Config "the artifact does not exist"
    "RC0104" ArtifactUnusable Config "the artifact cannot be frozen"
    "RC0105" CommandNotExecutable Config "the command of the release cannot be started"
    "RC0106" ConfigFileUnusable Config "a configuration file of the service cannot be frozen"
    "RC0107" FlagsInvalid Config "the flags document is not valid"
    "RC0108" MigrationsInvalid Config "the folder of migrations is not valid"
    "RC0109" StoreDamaged NeedsOperator "an object of the store is missing or damaged"
    "RC0110" StoreUnusable Unreachable "the store cannot be read or written"
    "RC0111" TagFailed Usage "the git tag was not made"
    "RC0112" ReleasePruned Refused "the release was cleared away"
    "RC0113" NothingCompared Usage "nothing was compared with this release"
    "RC0114" UnknownFlag Usage "there is no flag of this name"
    "RC0115" FlagRefused Usage "the flag cannot be changed like this"
    "RC0116" UnknownRevision Usage "there is no such revision of the flags"
    "RC0201" AlreadyLive Refused "the release is live already"
    "RC0202" SameRelease Refused "this release is what serves now"
    "RC0203" NoTarget Refused "there is nothing to roll back to"
    "RC0204" NotVerified Refused "the release was never verified here"
    "RC0205" ReleaseHeld Refused "the release is held because it was taken back"
    "RC0206" UnknownMigrations Refused "the database has migrations that the release does not know"
    "RC0207" EditedMigration Refused "a migration was changed after it was applied"
    "RC0208" OutOfOrder Refused "a migration comes before one that is applied"
    "RC0209" NoWayBack Refused "there is no way back from this"
    "RC0210" NoAuthority Refused "the environment does not allow this"
    "RC0211" StalePlan Refused "something happened since the plan was made"
    "RC0212" UnsoundPlan Refused "the plan does not hold together"
    "RC0213" OperationRunning Refused "another operation is running"
    "RC0214" PlanElsewhere Refused "the plan is for another environment"
    "RC0215" MigrationRefused Refused "a migration cannot be run as it is"
    "RC0216" DiskFull Refused "the disk is too full"
    "RC0217" RestartNeeded Refused "the change needs a restart of the controller"
    "RC0218" TooLate Refused "it is too late for this"
    "RC0219" NotAuthorised Refused "the request carries no valid token"
    "RC0220" CannotJump Refused "the plan cannot go on from this step"
    "RC0221" WouldNotSurvive Refused "two releases cannot share this schema"
    "RC0222" MetricUnusable Refused "a metric of the judge cannot be read"
    "RC0223" HistoryUnclear Refused "the history of migrations is not clear"
    "RC0224" DatabaseBusy Refused "the database is too busy for a change"
    "RC0225" StillNeeded Refused "something of Ripcord's is still needed"
    "RC0226" RanElsewhere Refused "another tool ran this migration"
    "RC0230" FlagNeedsSchema Refused "the flag needs a migration that the database lacks"
    "RC0231" NothingOff Refused "nothing of this release is off or can be"
    "RC0232" FlagServiceReadOnly Refused "the token for flags may only read"
    "RC0233" UsersMove Refused "users would get another variant"
    "RC0301" WentBack WentBack "the release was found bad and was taken back"
    "RC0302" Undecided NeedsOperator "there is too little data to judge the release"
    "RC0303" AwaitingApproval NeedsOperator "the plan waits for a person"
    "RC0304" Degraded NeedsOperator "a step is past its deadline"
    "RC0305" NeedsOperator NeedsOperator "a person has to put something right"
    "RC0401" NoController Unreachable "no controller answers"
    "RC0402" ControllerRunning Refused "another controller uses the state directory"
    "RC0403" ControllerReplaced Refused "a newer controller has taken over"
    "RC0404" StateUnusable Config "the state directory cannot be used"
    "RC0405" LedgerMissing Usage "there is no ledger here"
    "RC0406" LedgerNewer Config "a newer Ripcord wrote the ledger"
    "RC0407" LedgerDamaged NeedsOperator "the ledger is damaged"
    "RC0408" LedgerUnusable Unreachable "the ledger cannot be read or written"
    "RC0409" CannotObserve Unreachable "the environment cannot be observed"
    "RC0410" PortInUse Unreachable "the address is in use"
    "RC0411" ProxyNotStarted Unreachable "the proxy does not answer"
    "RC0412" DatabaseUnreachable Unreachable "a database does not answer"
    "RC0414" FlagsNotServed Unreachable "the flags server does not answer"
    "RC0415" FlagServiceUnusable Unreachable "a service for flags cannot be used"
    "RC0901" Bug Bug "a mistake in Ripcord"
    "RC0902" DemoFailed Bug "something that the demo promises does not hold"
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.number())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        let number = String::deserialize(deserializer)?;
        let found = Code::ALL.iter().find(|code| code.number() == number);
        found.copied().ok_or_else(|| D::Error::custom(format!("there is no code {number}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn pages() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
    }

    fn code_of(file: &str) -> Option<&str> {
        file.strip_suffix(".md").filter(|name| name.starts_with("RC"))
    }

    #[test]
    fn numbers_rise_and_are_unique() {
        assert!(Code::ALL.is_sorted_by(|a, b| a.number() < b.number()));
        for code in Code::ALL {
            assert!(code.number().len() == 6 && code.number().starts_with("RC"), "{code}");
        }
    }

    #[test]
    fn each_code_has_a_page_and_each_page_a_code() {
        let files = fs::read_dir(pages()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let found: BTreeSet<String> =
            names.filter_map(|name| code_of(&name).map(str::to_owned)).collect();
        let expected = Code::ALL.iter().map(|code| code.number().to_owned()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_page_says_what_why_and_what_to_do() {
        for code in Code::ALL {
            let text = fs::read_to_string(pages().join(format!("{code}.md"))).unwrap();
            let head =
                format!("# {code}: {}\n\nExit code {}.", code.title(), code.kind().exit_code());
            assert!(text.starts_with(&head), "{code} must begin with\n{head}");
            for part in ["\n## What it means\n", "\n## Why\n", "\n## What to do\n"] {
                assert!(text.contains(part), "{code} lacks {part:?}");
            }
            let lines = text.lines().count();
            assert!((10..=24).contains(&lines), "{code} has {lines} lines");
        }
    }

    #[test]
    fn the_table_lists_each_code() {
        let text = fs::read_to_string(pages().join("README.md")).unwrap();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| [RC")).collect();
        let row = |code: &Code| {
            format!("| [{code}]({code}.md) | {} | {} |", code.kind().exit_code(), code.title())
        };
        assert_eq!(rows, Code::ALL.iter().map(row).collect::<Vec<_>>());
    }
}
