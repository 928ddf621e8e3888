//! One blocking connection, with a name that administrators recognise and limits on everything
//! that could wait. It speaks text only and knows nothing of catalogues.

use crate::postgres::pooled::is_pooled;
use crate::postgres::tls::Wish;
use crate::postgres::trouble::PostgresError;
use postgres::config::Host;
use postgres::{Client, Config, NoTls, SimpleQueryMessage};
use std::io::Write;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The longest that anything may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the server answers at all.
    pub connect: Duration,
    /// For one statement.
    pub statement: Duration,
    /// For a lock.
    pub lock: Duration,
    /// Until another Ripcord that is at work in the same database is done.
    pub turn: Duration,
    /// Until a holder that neither asks the server anything nor waits for it is taken to stand
    /// still, and is ended.
    pub still: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(10),
            statement: Duration::from_mins(1),
            lock: Duration::from_secs(5),
            turn: Duration::from_mins(1),
            still: Duration::from_secs(30),
        }
    }
}

/// A connection to one database.
pub struct Connection {
    client: Client,
    place: String,
    version: u32,
    version_words: String,
}

/// One row; a field is absent when it is NULL.
pub(crate) type Row = Vec<Option<String>>;

/// How to reach a server.
struct Line {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    place: String,
}

impl Line {
    fn read(address: &str, purpose: &str, limits: &Limits) -> Result<Line, PostgresError> {
        let wish = Wish::read(address)?;
        let mut config: Config = wish.address.parse().map_err(|error: postgres::Error| {
            // The parser's message can repeat a value; only its cause is shown, and that does not.
            let why = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), ToString::to_string);
            PostgresError::Address { why }
        })?;
        let place = place(&config);
        let tls = wish.connector(&place)?;
        config.application_name(&format!("ripcord/{purpose}"));
        config.connect_timeout(limits.connect);
        config.keepalives(true);
        Ok(Line { config, tls, place })
    }

    /// The same under a name that nobody counts on.
    fn beside(&self) -> Line {
        let mut config = self.config.clone();
        config.application_name("ripcord/beside");
        Line { config, tls: self.tls.clone(), place: self.place.clone() }
    }

    fn connect(&self) -> Result<Client, PostgresError> {
        let connected = match self.tls.clone() {
            Some(tls) => self.config.connect(tls),
            None => self.config.connect(NoTls),
        };
        connected.map_err(|error| PostgresError::Unreachable {
            place: self.place.clone(),
            why: why(&error),
        })
    }
}

impl Connection {
    /// Connects to what a libpq address names: a host and port, or a unix socket's directory.
    ///
    /// # Errors
    ///
    /// The address is wrong, TLS cannot be had as it asks, nobody answers, a pooler in between gives
    /// each transaction another session, or the server is older than 14.
    pub fn open(
        address: &str,
        purpose: &str,
        limits: &Limits,
    ) -> Result<Connection, PostgresError> {
        let settings = format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; \
             SET idle_in_transaction_session_timeout = 60000; SET client_encoding = 'UTF8'; \
             SET standard_conforming_strings = on; SET quote_all_identifiers = off; \
             SET search_path = ''; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; \
             SET extra_float_digits = 1; SET bytea_output = 'hex'; SET TimeZone = 'UTC'",
            limits.statement.as_millis(),
            limits.lock.as_millis()
        );
        let line = Line::read(address, purpose, limits)?;
        let mut client = line.connect()?;
        // Before anything is set, which would be set for whoever gets this session next.
        let pooled = is_pooled(&mut client, &mut line.beside().connect()?);
        if pooled.map_err(|error| failed(&line.place, "sessions", &error))? {
            return Err(PostgresError::Pooled { place: line.place });
        }
        Connection::with(client, line.place, &settings)
    }

    /// Connects as the user's own programs do: scripts must find the search path and everything
    /// else as the user, the role and the database are set. The server gives up by itself on
    /// whoever is gone or stands still.
    pub(crate) fn open_as_user(
        address: &str,
        purpose: &str,
        limits: &Limits,
    ) -> Result<Connection, PostgresError> {
        let settings = "SET idle_in_transaction_session_timeout = 60000; \
                        SET client_connection_check_interval = 1000";
        let line = Line::read(address, purpose, limits)?;
        Connection::with(line.connect()?, line.place, settings)
    }

    fn with(client: Client, place: String, settings: &str) -> Result<Connection, PostgresError> {
        let mut connection = Connection { client, place, version: 0, version_words: String::new() };
        connection.run("settings", settings)?;
        let rows = connection.rows(
            "version",
            "SELECT pg_catalog.current_setting('server_version_num'), \
             pg_catalog.current_setting('server_version')",
        )?;
        let field = |at: usize| rows.first().and_then(|row| row.get(at).cloned().flatten());
        connection.version = field(0).and_then(|text| text.parse().ok()).unwrap_or(0);
        connection.version_words = field(1).unwrap_or_default();
        if connection.version < 140_000 {
            let (place, version) = (connection.place, connection.version_words);
            return Err(PostgresError::TooOld { place, version });
        }
        Ok(connection)
    }

    /// Host and database, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The server's version as a number: 150018 is 15.18.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The server's version as it calls itself.
    pub(crate) fn version_words(&self) -> &str {
        &self.version_words
    }

    /// Runs statements that answer nothing.
    pub(crate) fn run(&mut self, about: &'static str, sql: &str) -> Result<(), PostgresError> {
        self.client.batch_execute(sql).map_err(|error| self.failed(about, &error))
    }

    /// The rows that one statement answers.
    pub(crate) fn rows(
        &mut self,
        about: &'static str,
        sql: &str,
    ) -> Result<Vec<Row>, PostgresError> {
        let messages = self.client.simple_query(sql).map_err(|error| self.failed(about, &error))?;
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
            }
            _ => None,
        };
        Ok(messages.into_iter().filter_map(row).collect())
    }

    /// The first field of the first row that one statement answers.
    pub(crate) fn value(
        &mut self,
        about: &'static str,
        sql: &str,
    ) -> Result<Option<String>, PostgresError> {
        let rows = self.rows(about, sql)?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// The same as a number; none counts as nothing.
    pub(crate) fn number(&mut self, about: &'static str, sql: &str) -> Result<i64, PostgresError> {
        let value = self.value(about, sql)?;
        let number = value.as_deref().map_or(Ok(0), str::parse);
        number.map_err(|_| PostgresError::Answer {
            place: self.place.clone(),
            about,
            what: format!("{} is not a number", value.unwrap_or_default()),
        })
    }

    /// Runs one statement and says how many rows it wrote or found.
    pub(crate) fn count(&mut self, about: &'static str, sql: &str) -> Result<u64, PostgresError> {
        let messages = self.client.simple_query(sql).map_err(|error| self.failed(about, &error))?;
        let done = messages.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
            _ => None,
        });
        Ok(done.unwrap_or(0))
    }

    /// Sends the rows that follow COPY … FROM STDIN, and says how many there were.
    pub(crate) fn copy_in(
        &mut self,
        about: &'static str,
        sql: &str,
        rows: &[u8],
    ) -> Result<u64, PostgresError> {
        let mut writer = match self.client.copy_in(sql) {
            Ok(writer) => writer,
            Err(error) => return Err(failed(&self.place, about, &error)),
        };
        let sent = writer.write_all(rows);
        match sent {
            Ok(()) => writer.finish().map_err(|error| failed(&self.place, about, &error)),
            Err(error) => {
                let why = error.to_string();
                Err(PostgresError::Unreachable { place: self.place.clone(), why })
            }
        }
    }

    /// Whether nothing can be asked any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    fn failed(&self, about: &'static str, error: &postgres::Error) -> PostgresError {
        failed(&self.place, about, error)
    }
}

fn failed(place: &str, about: &'static str, error: &postgres::Error) -> PostgresError {
    let (place, why) = (place.to_owned(), why(error));
    let code = error.code().map(|state| state.code().to_owned()).unwrap_or_default();
    let source = std::error::Error::source(error);
    let broken = source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    if error.is_closed() || broken {
        PostgresError::Unreachable { place, why }
    } else {
        PostgresError::Query { place, about, why, code }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What the server said, or what happened instead of an answer.
fn why(error: &postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", said.message(), said.code().code());
    }
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Host and database, without user and password.
fn place(config: &Config) -> String {
    let database = config.get_dbname().or(config.get_user()).unwrap_or("?");
    let ports = config.get_ports();
    let mut hosts = Vec::new();
    for (at, host) in config.get_hosts().iter().enumerate() {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        hosts.push(match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(folder) => format!("{}:{port}", folder.display()),
        });
    }
    if hosts.is_empty() {
        database.to_owned()
    } else {
        format!("{} at {}", database, hosts.join(","))
    }
}
