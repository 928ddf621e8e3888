//! `PostgreSQL` as the target database of an environment: what releases ask of it, made of the same
//! parts as the commands that need no controller.
//!
//! Connections are opened for each operation. What changes the database runs under the lock that
//! only one Ripcord has, and each migration in one transaction with its mark.

mod ensure;
mod failure;
mod folder;
mod foresee;
mod observe;
mod record;
mod soundness;
mod supervise;

pub use folder::scripts;

use crate::formats::MigrationSet;
use crate::postgres::connection::{Connection, Limits};
use crate::postgres::history::History;
use crate::postgres::snapshot::{Scope, snapshot};
use failure::Trouble;
use ripcord_core::model::environment::SchemaState;
use ripcord_core::model::{ChangeId, Digest};
use ripcord_core::run::Receipt;
use ripcord_core::schema::{Direction, MigrationScript, SchemaChange, SchemaPreview, Wanted};
use ripcord_engine::{Database, Failure, Result, Ticket};
use std::collections::BTreeMap;
use std::time::Duration;

/// Gives a connection's address; an error says why it cannot, without a secret.
pub type Address = Box<dyn Fn() -> std::result::Result<String, String> + Send + Sync>;

/// Gives the migrations of the newest release.
pub type Newest = Box<dyn Fn() -> std::result::Result<Vec<MigrationScript>, String> + Send + Sync>;

/// Where a database is and whose it is.
pub struct PostgresOptions {
    /// Its address, asked for each time: a secret may be changed meanwhile.
    pub address: Address,
    /// The migrations by which it is told which tool remembers what ran here.
    pub newest: Newest,
    /// The environment it belongs to, which is noted in it.
    pub environment: String,
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// A target database at a server.
#[derive(Debug)]
pub struct PostgresDatabase {
    options: PostgresOptions,
}

/// A look at a database, with the folder that its migrations are from.
struct View {
    connection: Connection,
    set: MigrationSet,
    history: History,
}

/// How long a look waits. Whoever looks may hold up users.
fn limits() -> Limits {
    Limits { connect: Duration::from_secs(5), ..Limits::default() }
}

impl PostgresDatabase {
    /// A database that is connected to anew for each operation.
    pub fn new(options: PostgresOptions) -> PostgresDatabase {
        PostgresDatabase { options }
    }

    fn address(&self) -> Result<String> {
        (self.options.address)().map_err(Failure::Definite)
    }

    /// The folder: the newest release's migrations, and these.
    fn set(&self, scripts: &[MigrationScript]) -> Result<MigrationSet> {
        let newest = (self.options.newest)().map_err(Failure::Definite)?;
        folder::set(&newest, scripts).map_err(Failure::Definite)
    }

    fn view(&self, scripts: &[MigrationScript]) -> Result<View> {
        let set = self.set(scripts)?;
        let opened = || -> std::result::Result<View, Trouble> {
            let mut connection = Connection::open(&self.address()?, "release", &limits())?;
            let history = History::of(&set, &mut connection, None)?;
            Ok(View { connection, set, history })
        };
        Ok(opened()?)
    }
}

impl Database for PostgresDatabase {
    fn observe(&self) -> Result<SchemaState> {
        let mut view = self.view(&[])?;
        Ok(observe::observe(&mut view)?)
    }

    fn preview(&self, direction: Direction, scripts: &[MigrationScript]) -> Result<SchemaPreview> {
        let mut view = self.view(scripts)?;
        Ok(foresee::preview(&mut view, direction, scripts)?)
    }

    fn back_up(&self, _: &str, _: &Ticket<'_>) -> Result<Receipt> {
        Ok(Receipt::of("nothing was copied: what migrations remove is kept within the database"))
    }

    fn ensure(
        &self,
        change: &SchemaChange,
        wanted: Wanted,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let address = self.address()?;
        let set = self.set(&change.scripts)?;
        let request = ensure::Request {
            address: &address,
            set: &set,
            environment: &self.options.environment,
            change,
            wanted,
            fence: ticket.fence,
            deadline_ms: ticket.deadline_ms,
        };
        supervise::supervised(ticket, &address, |stop| ensure::ensure(&request, stop))
    }

    fn integrity(&self) -> Result<()> {
        let mut view = self.view(&[])?;
        Ok(soundness::check(&mut view.connection)?)
    }

    fn fingerprints(&self) -> Result<BTreeMap<String, Digest>> {
        let mut view = self.view(&[])?;
        Ok(soundness::fingerprints(&mut view.connection)?)
    }
}

/// The digest of the schema as it is, the table in which the folder's tool remembers aside: it is
/// made with the first migration and stays.
fn digest(view: &mut View) -> std::result::Result<Digest, Trouble> {
    let now = snapshot(&mut view.connection, &Scope::default())?;
    Ok(observe::digest(&now, view.history.key()))
}

/// What a schema is called that nobody has seen yet: it follows from where it begins and from what
/// will run.
fn foretold(from: &Digest, direction: Direction, scripts: &[MigrationScript]) -> Digest {
    let steps: Vec<&Digest> = scripts.iter().map(|script| &script.migration.checksum).collect();
    ripcord_core::model::digest_of(&("foretold", from, direction, steps))
}

/// The names of changes, as the database keeps them.
fn key(id: &ChangeId) -> String {
    id.to_string()
}
