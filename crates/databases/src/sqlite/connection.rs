//! Opening connections, and working on one while somebody watches the time.

use crate::sqlite::trouble::{Result, Trouble};
use ripcord_engine::{Failure, Ticket};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// How long one attempt to get a lock waits inside `SQLite`.
const LOCK_SLICE: Duration = Duration::from_millis(20);

/// How often the watcher looks at the time and at the ticket.
const GLANCE: Duration = Duration::from_millis(10);

/// How long a reader waits for a lock.
const READ_WAIT: Duration = Duration::from_secs(5);

/// Pages cached by a connection that changes things, in KiB.
const CACHE_KIB: i32 = 65_536;

/// A connection that can run scripts of others.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    /// Whether a script of somebody else's is running, which must not do everything.
    foreign: Arc<AtomicBool>,
}

impl Session {
    /// Opens a database to change it.
    pub(crate) fn open(path: &Path) -> Result<Session> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Session::over(Connection::open_with_flags(path, flags)?)
    }

    /// Takes over a connection.
    pub(crate) fn over(mut connection: Connection) -> Result<Session> {
        check_version(rusqlite::version_number())?;
        connection.busy_timeout(LOCK_SLICE)?;
        // EXTRA is FULL that also survives a power cut between commit and the removal of a journal.
        connection.execute_batch(&format!(
            "PRAGMA synchronous = EXTRA; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = OFF;
             PRAGMA recursive_triggers = OFF; PRAGMA cache_size = -{CACHE_KIB};"
        ))?;
        let foreign = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&foreign);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            if seen.load(Ordering::Relaxed) { judge(&context) } else { Authorization::Allow }
        }))?;
        Ok(Session { connection, foreign })
    }

    /// Runs something of somebody else's: `SQLite` itself refuses what would leave the transaction
    /// or touch Ripcord's own tables, however it is written.
    pub(crate) fn guarded<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        self.foreign.store(true, Ordering::Relaxed);
        let result = run();
        self.foreign.store(false, Ordering::Relaxed);
        result
    }

    /// Runs something while no trigger fires.
    pub(crate) fn without_triggers<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        let result = run();
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
        result
    }

    /// Begins to write, waiting for others no longer than until `watch` ends.
    pub(crate) fn begin(&self, watch: &Watch) -> Result<()> {
        loop {
            match self.connection.execute_batch("BEGIN IMMEDIATE") {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    watch.check("another process is writing to the database")?;
                }
                other => return Ok(other?),
            }
        }
    }

    /// Makes it last. After this nothing is rolled back any more, or nobody knows.
    pub(crate) fn commit(&self, watch: &Watch) -> Result<()> {
        watch.ending.store(true, Ordering::SeqCst);
        loop {
            match self.connection.execute_batch("COMMIT") {
                Ok(()) => return Ok(()),
                Err(error) if self.connection.is_autocommit() => {
                    let why = format!("whether the change was committed is not known: {error}");
                    return Err(Failure::unknown(why).into());
                }
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    watch.check("readers keep the change from being committed")?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives up what was begun, if anything.
    pub(crate) fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // Should even this fail, closing the connection does the same.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// Opens a database to read it. None when there is none yet.
pub(crate) fn open_to_read(path: &Path) -> Result<Option<Connection>> {
    check_version(rusqlite::version_number())?;
    if !path.exists() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(READ_WAIT)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cell_size_check = ON")?;
    Ok(Some(connection))
}

/// Refuses versions of `SQLite` whose WAL can be corrupted by a reset at the wrong moment.
fn check_version(number: i32) -> Result<()> {
    if (3_007_000..=3_051_002).contains(&number) {
        let why = format!("SQLite {number} can corrupt a database in WAL mode; link a newer one");
        return Err(Trouble::refuse(why));
    }
    Ok(())
}

fn judge(context: &AuthContext<'_>) -> Authorization {
    // What watches rows on our behalf may write where it must.
    if context.accessor.is_some_and(|name| name.starts_with("ripcord_see_")) {
        return Authorization::Allow;
    }
    let own = |name: &str| name.to_ascii_lowercase().starts_with("ripcord_");
    let allowed = match &context.action {
        AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::Pragma { pragma_value: Some(_), .. }
        | AuthAction::CreateVtable { .. }
        | AuthAction::DropVtable { .. } => false,
        AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Read { table_name, .. } => !own(table_name),
        _ => true,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

/// How long work may take, and whether it is to stop.
#[derive(Debug)]
pub(crate) struct Watch {
    deadline: Instant,
    stopped: AtomicBool,
    /// Set when the work must no longer be interrupted.
    ending: AtomicBool,
}

impl Watch {
    pub(crate) fn new(deadline_ms: u64) -> Watch {
        // A deadline beyond a year is as good as none, and cannot overflow.
        let wait = Duration::from_millis(deadline_ms.min(31_536_000_000));
        let (stopped, ending) = (AtomicBool::new(false), AtomicBool::new(false));
        Watch { deadline: Instant::now() + wait, stopped, ending }
    }

    /// Fails when it is time to give up waiting.
    pub(crate) fn check(&self, waiting: &str) -> Result<()> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(Failure::Interrupted.into());
        }
        if Instant::now() >= self.deadline {
            return Err(Failure::transient(waiting).into());
        }
        Ok(())
    }
}

/// Works on a session while this thread watches the time and the ticket, and interrupts the work
/// wherever it is when either says so.
pub(crate) fn supervised<T: Send>(
    ticket: &Ticket<'_>,
    session: Session,
    work: impl FnOnce(&Session, &Watch) -> Result<T> + Send,
) -> std::result::Result<T, Failure> {
    let watch = Watch::new(ticket.deadline_ms);
    let handle = session.connection.get_interrupt_handle();
    let mut late = false;
    let (done, is_done) = mpsc::channel::<()>();
    let result = std::thread::scope(|scope| {
        let watch = &watch;
        let worker = scope.spawn(move || {
            // Dropped at the end, even of a panic, which ends the watching at once.
            let _done = done;
            let result = work(&session, watch);
            watch.ending.store(true, Ordering::SeqCst);
            if result.is_err() {
                session.roll_back();
            }
            result
        });
        while is_done.recv_timeout(GLANCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            late = Instant::now() >= watch.deadline;
            let stop = (ticket.stop)();
            if stop {
                watch.stopped.store(true, Ordering::SeqCst);
            }
            if (stop || late) && !watch.ending.load(Ordering::SeqCst) {
                handle.interrupt();
            }
        }
        worker.join()
    });
    let result = result.map_err(|_| Failure::unknown("the work on the database broke off"))?;
    match result.map_err(Failure::from) {
        Err(Failure::Interrupted) if late && !watch.stopped.load(Ordering::SeqCst) => {
            Err(Failure::Deadline(format!(
                "the database took longer than {} ms; nothing was changed",
                ticket.deadline_ms
            )))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_others_cannot_leave_the_transaction() {
        let session = Session::over(Connection::open_in_memory().unwrap()).unwrap();
        let run = |sql: &str| {
            session
                .guarded(|| Ok(session.connection.execute_batch(sql)?))
                .map_err(|e| e.to_string())
        };
        session.connection.execute_batch("CREATE TABLE ripcord_x(y); CREATE TABLE t(x)").unwrap();
        session.connection.execute_batch("BEGIN").unwrap();
        for sql in [
            "COMMIT",
            "ROLLBACK",
            "SAVEPOINT s",
            "ATTACH ':memory:' AS a",
            "PRAGMA foreign_keys = ON",
            "PRAGMA writable_schema = ON",
            "DELETE FROM ripcord_x",
            "DROP TABLE ripcord_x",
            "CREATE TABLE ripcord_z(x)",
            "INSERT INTO t SELECT y FROM ripcord_x",
            "CREATE VIRTUAL TABLE f USING fts5(x)",
        ] {
            assert!(run(sql).is_err(), "{sql}");
            assert!(!session.connection.is_autocommit(), "{sql}");
        }
        run("INSERT INTO t VALUES(1); CREATE INDEX i ON t(x); ALTER TABLE t ADD z; DROP TABLE t")
            .unwrap();
        session.connection.execute_batch("DELETE FROM ripcord_x; COMMIT").unwrap();
    }

    #[test]
    fn refuses_versions_that_corrupt() {
        let check = |number: i32, expected: bool| {
            assert_eq!(check_version(number).is_ok(), expected, "{number}");
        };
        check(3_006_023, true);
        check(3_007_000, false);
        check(3_051_002, false);
        check(3_051_003, true);
        assert!(check_version(rusqlite::version_number()).is_ok());
    }
}
