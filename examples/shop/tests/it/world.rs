//! A shop in a directory of its own: database, server and a client.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Method;
use ripcord_shop::load::{Answer, Client};
use ripcord_shop::service::Server;
use ripcord_shop::{Faults, Schema, Settings, ShopConfig};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A database and files around it.
pub(crate) struct World {
    pub(crate) directory: TempDir,
}

/// A server in this process.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) client: Client,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl World {
    /// A database migrated up to and including `generation`.
    pub(crate) fn at(generation: u8) -> Self {
        let world = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        Connection::open(world.database()).expect("a new database");
        for number in 1..=generation {
            world.migrate(number, "up");
        }
        world
    }

    /// Runs one migration script.
    pub(crate) fn migrate(&self, number: u8, direction: &str) {
        let directory = releases().join("v3-bad-answers/migrations");
        let ending = format!(".{direction}.sql");
        let script = fs::read_dir(directory)
            .expect("the migrations of a release")
            .map(|entry| entry.expect("an entry").path())
            .find(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(&format!("{number:03}_")) && name.ends_with(&ending)
            })
            .expect("a script with this number");
        self.sql(&fs::read_to_string(script).expect("a readable script"));
    }

    /// Runs statements, as somebody beside the shop would.
    pub(crate) fn sql(&self, statements: &str) {
        let connection = Connection::open(self.database()).expect("the database");
        connection.busy_timeout(Duration::from_secs(5)).expect("a timeout");
        let script = format!("BEGIN IMMEDIATE; {statements}; COMMIT;");
        connection.execute_batch(&script).expect("valid statements");
    }

    /// Runs statements after one that no transaction may enclose.
    pub(crate) fn sql_with(&self, first: &str, statements: &str) {
        let connection = Connection::open(self.database()).expect("the database");
        let script = format!("{first}; BEGIN IMMEDIATE; {statements}; COMMIT;");
        connection.execute_batch(&script).expect("valid statements");
    }

    /// Copies the database.
    pub(crate) fn copy_to(&self, target: &Path) {
        let connection = Connection::open(self.database()).expect("the database");
        let target = target.display().to_string();
        connection.execute("VACUUM INTO ?1", [target]).expect("a copy");
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("shop.db")
    }

    pub(crate) fn fault_log(&self) -> PathBuf {
        self.path("faults.log")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn settings(&self, generation: u8, faults: Faults) -> Settings {
        let flags_file = self.path("flags.json");
        Settings {
            schema: Schema::try_from(generation).expect("a generation"),
            port: 0,
            database: self.database().into(),
            config: ShopConfig { faults, ..ShopConfig::default() },
            flag_server: None,
            flags_file: Some(flags_file),
            release: format!("v{generation}"),
            fault_log: Some(self.fault_log()),
        }
    }

    /// A server of this generation, without faults.
    pub(crate) async fn serve(&self, generation: u8) -> Running {
        Running::start(self.settings(generation, Faults::default())).await
    }
}

impl Running {
    pub(crate) async fn start(settings: Settings) -> Self {
        let server = Server::bind(settings).await.expect("a free port");
        let url = format!("http://{}", server.address());
        let client = Client::new(&url, None, Duration::from_secs(10)).expect("a valid url");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            server.run(async { drop(stopped.await) }).await.expect("an orderly end");
        });
        Self { url, client, stop, task }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.client.send(Method::GET, path, &[], None).await.expect("an answer")
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        self.client.send(method, path, &[], Some(&body)).await.expect("an answer")
    }

    /// Stops accepting and waits for the end.
    pub(crate) async fn stop(self) {
        self.stop.send(()).expect("a running server");
        self.task.await.expect("a server that did not panic");
    }
}

pub(crate) fn releases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("releases")
}
