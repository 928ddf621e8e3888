//! What all verbs on a database and its folder take: which database, which folder, whose table.

use crate::cli::db::folder;
use crate::cli::db::trouble::failure;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_databases::formats::{Format, MigrationSet, ProblemKind};
use ripcord_databases::postgres::{Connection, History, Limits, Session};
use std::path::PathBuf;
use std::time::Duration;

/// The database.
#[derive(Debug, clap::Args)]
pub(super) struct Address {
    /// The database: `postgresql://user@host:port/name`, or
    /// `postgresql:///name?host=/socket/directory`
    #[arg(long, env = "RIPCORD_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(super) url: String,
}

/// The database and the folder.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    #[command(flatten)]
    pub(super) address: Address,
    /// The folder of migrations [default: where tools usually keep it]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The tool that the folder is for, where it cannot be told
    #[arg(long, value_name = "NAME", value_parser = folder::format)]
    format: Option<Format>,
    /// The table in which the tool remembers, as TABLE or SCHEMA.TABLE [default: the tool's own]
    #[arg(long, value_name = "TABLE")]
    history: Option<String>,
    /// How long to wait for another Ripcord at work in the same database, in seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    wait: u64,
}

/// A folder and the database that it is for.
pub(super) struct Opened {
    pub(super) set: MigrationSet,
    pub(super) history: History,
    pub(super) connection: Connection,
}

impl Address {
    /// A connection to look around with.
    pub(super) fn connect(&self, purpose: &str) -> Result<Connection, Failure> {
        Connection::open(&self.url, purpose, &Limits::default()).map_err(|error| failure(&error))
    }
}

impl Place {
    /// Reads the folder, and finds what its tool remembers in the database.
    pub(super) fn open(&self, purpose: &str) -> Result<Opened, Failure> {
        let set = self.folder()?;
        let mut connection = self.address.connect(purpose)?;
        let history = History::of(&set, &mut connection, self.history.as_deref())
            .map_err(|error| failure(&error))?;
        Ok(Opened { set, history, connection })
    }

    /// The right to change the database, for as long as this lives.
    pub(super) fn session(&self, history: &History) -> Result<Session, Failure> {
        let limits = Limits { turn: Duration::from_secs(self.wait), ..Limits::default() };
        let session = Session::open(&self.address.url, history.key(), &limits)
            .map_err(|error| failure(&error))?;
        if let Some(what) = session.restored() {
            terminal::say(what);
        }
        Ok(session)
    }

    /// Reads the folder. What its own tool would refuse is refused here, too.
    pub(super) fn folder(&self) -> Result<MigrationSet, Failure> {
        let root = match &self.dir {
            Some(dir) => dir.clone(),
            None => folder::usual()?,
        };
        let set = folder::read(&root, self.format)?;
        let bad = |kind: ProblemKind| {
            !matches!(
                kind,
                ProblemKind::Gap
                    | ProblemKind::MissingDown
                    | ProblemKind::BadName
                    | ProblemKind::EmptyScript
                    | ProblemKind::DownWithoutUp
            )
        };
        if let Some(problem) = set.problems.iter().find(|problem| bad(problem.kind)) {
            let file = set.root.join(&problem.path);
            let error = format!("{}:{}: {}", file.display(), problem.line, problem.message);
            return Err(Failure::new(Code::MigrationsInvalid, error)
                .hint("`ripcord db review` lists everything that is wrong with a folder"));
        }
        Ok(set)
    }
}
