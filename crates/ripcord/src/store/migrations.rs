//! The migrations that a release takes along, read as the service's database wants them: for
//! `SQLite` in Ripcord's own layout, for `PostgreSQL` in that of whichever tool they are for.

use crate::config::{Config, Engine};
use crate::failure::{Code, Failure};
use ripcord_core::schema::MigrationScript;
use ripcord_databases::formats::{self, MigrationSet, ProblemKind};
use ripcord_databases::{MigrationError, migrations, postgres};

/// What a folder holds.
pub(crate) enum Folder {
    /// For `SQLite`.
    Sqlite(migrations::MigrationFolder),
    /// For `PostgreSQL`, with the scripts as a release carries them.
    Postgres(Box<MigrationSet>, Vec<MigrationScript>),
}

impl Folder {
    /// The migrations of the service; none when it has no database.
    pub(crate) fn read(config: &Config) -> Result<Option<Folder>, Failure> {
        let Some(database) = &config.document().database else { return Ok(None) };
        let path = config.resolve(database.migrations.get_ref().as_path());
        let place = || config.show(database.migrations.span());
        let wrong = |error: MigrationError| {
            Failure::new(Code::MigrationsInvalid, error.to_string()).at(place())
        };
        match database.engine {
            Engine::Sqlite => Ok(Some(Folder::Sqlite(migrations::read(&path).map_err(wrong)?))),
            Engine::Postgres => {
                let format = formats::detect(&path).map_err(wrong)?;
                let set = formats::read(&path, format).map_err(wrong)?;
                let bad = set.problems.iter().find(|problem| is_bad(problem.kind));
                if let Some(problem) = bad {
                    let file = set.root.join(&problem.path);
                    let what = format!("{}:{}: {}", file.display(), problem.line, problem.message);
                    return Err(Failure::new(Code::MigrationsInvalid, what).at(place()));
                }
                let scripts = postgres::scripts(&set)
                    .map_err(|why| Failure::new(Code::MigrationsInvalid, why).at(place()))?;
                Ok(Some(Folder::Postgres(Box::new(set), scripts)))
            }
        }
    }

    /// The scripts in ascending order.
    pub(crate) fn into_scripts(self) -> Vec<MigrationScript> {
        match self {
            Folder::Sqlite(folder) => folder.scripts,
            Folder::Postgres(_, scripts) => scripts,
        }
    }
}

/// Whether the folder's own tool would refuse it for this.
pub(crate) fn is_bad(kind: ProblemKind) -> bool {
    !matches!(
        kind,
        ProblemKind::Gap
            | ProblemKind::MissingDown
            | ProblemKind::BadName
            | ProblemKind::EmptyScript
            | ProblemKind::DownWithoutUp
    )
}
