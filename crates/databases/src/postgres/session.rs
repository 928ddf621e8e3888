//! Ripcord at work in one database: a connection that runs scripts as the user would, and beside
//! it a guard, which is in no transaction and holds the lock that only one Ripcord has. The lock
//! ends with its process. What a process that lost it still sends is refused by the fence.
//!
//! Nothing here runs scripts. Only sessions that bear Ripcord's own mark are ever ended.

use crate::postgres::connection::{Connection, Limits};
use crate::postgres::own;
use crate::postgres::trouble::PostgresError;
use std::time::{Duration, Instant};

/// The right to change one database, for as long as nobody took over.
#[derive(Debug)]
pub struct Session {
    address: String,
    limits: Limits,
    history: String,
    fence: i64,
    restored: Option<String>,
    guard: Connection,
    work: Connection,
}

/// The advisory lock that one Ripcord at a time holds. Any number will do that others do not use.
const LOCK_WORK: i64 = 0x0052_4950_574f_524b;

/// How long to wait until a session that was ended is gone.
const END_MAX: Duration = Duration::from_secs(10);

/// What was committed must be there after a crash of the server, whatever its own setting: the
/// triggers that watch a run, the marks, what is kept.
const DURABLE: &str = "SELECT pg_catalog.set_config('synchronous_commit', 'on', false) \
                       WHERE pg_catalog.current_setting('synchronous_commit') = 'off'";

const ABOUT: &str = "lock";

impl Session {
    /// Waits for its turn, makes Ripcord's own schema where it is missing, and takes over.
    /// `history` is the table in which the folder's own tool remembers.
    ///
    /// # Errors
    ///
    /// The database cannot be reached, another Ripcord is at work there for longer than
    /// [`Limits::turn`], or the user may not make a schema.
    pub fn open(address: &str, history: &str, limits: &Limits) -> Result<Session, PostgresError> {
        let mut guard = guard(address, limits, None)?;
        let replica = guard.value("role", "SELECT pg_catalog.pg_is_in_recovery()::text")?;
        if replica.as_deref() == Some("true") {
            return Err(PostgresError::Replica { place: guard.place().to_owned() });
        }
        let incarnation =
            guard.value("incarnation", "SELECT pg_catalog.gen_random_uuid()::text")?;
        own::ensure(&mut guard, &incarnation.unwrap_or_default())?;
        let restored = own::recognise(&mut guard)?;
        // Nobody but orphans can be at work now.
        end_others(&mut guard)?;
        let bump = "UPDATE ripcord.database SET fence = fence + 1 RETURNING fence";
        let fence = guard.number("fence", bump)?;
        let work = work(address, fence, limits)?;
        Ok(Session {
            address: address.to_owned(),
            limits: *limits,
            history: history.to_owned(),
            fence,
            restored,
            guard,
            work,
        })
    }

    /// The connection that scripts run on.
    pub(crate) fn work(&mut self) -> &mut Connection {
        &mut self.work
    }

    /// The connection beside it, in no transaction.
    pub(crate) fn guard(&mut self) -> &mut Connection {
        &mut self.guard
    }

    /// The history table that tells this folder apart from others.
    pub fn history(&self) -> &str {
        &self.history
    }

    /// What became of the database since Ripcord was there last, if it is not the same any more:
    /// it was restored or copied, or another server took over.
    pub fn restored(&self) -> Option<&str> {
        self.restored.as_deref()
    }

    /// What nobody who was here before has.
    pub(crate) fn fence(&self) -> i64 {
        self.fence
    }

    /// Host and database, for messages.
    pub fn place(&self) -> &str {
        self.guard.place()
    }

    /// Sees to it that nobody takes over before the open transaction ends, or that it ends now.
    pub(crate) fn check(&mut self) -> Result<(), PostgresError> {
        let sql = format!("SELECT 1 FROM ripcord.database WHERE fence = {} FOR SHARE", self.fence);
        if self.work.rows("fence", &sql)?.is_empty() {
            return Err(PostgresError::Superseded { place: self.place().to_owned() });
        }
        Ok(())
    }

    /// Connects anew after a connection broke. Afterwards nothing of what was sent before can
    /// still happen.
    ///
    /// # Errors
    ///
    /// Nobody answers for longer than [`Limits::turn`], or another Ripcord took over meanwhile.
    pub(crate) fn recover(&mut self) -> Result<(), PostgresError> {
        let until = Instant::now() + self.limits.turn;
        loop {
            let tried = self.reconnect();
            match tried {
                Err(error) if error.is_lost() && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                done => return done,
            }
        }
    }

    /// Connects anew if the guard is gone, and sees whether somebody took over.
    pub(crate) fn revive(&mut self) -> Result<(), PostgresError> {
        let alive = self.guard.rows(ABOUT, "SELECT 1").is_ok();
        if alive && !self.work.is_closed() && self.work.rows(ABOUT, "SELECT 1").is_ok() {
            return Ok(());
        }
        self.recover()
    }

    fn reconnect(&mut self) -> Result<(), PostgresError> {
        if self.guard.is_closed() || self.guard.rows(ABOUT, "SELECT 1").is_err() {
            self.guard = guard(&self.address, &self.limits, Some(self.fence))?;
        }
        still_mine(&mut self.guard, self.fence)?;
        end_others(&mut self.guard)?;
        self.work = work(&self.address, self.fence, &self.limits)?;
        Ok(())
    }
}

/// A connection that holds the lock. Who held it before, under a fence, does not wait for whoever
/// took over.
fn guard(address: &str, limits: &Limits, fence: Option<i64>) -> Result<Connection, PostgresError> {
    let mut guard = Connection::open(address, "guard", limits)?;
    guard.run(
        ABOUT,
        "SET idle_in_transaction_session_timeout = 0; SET tcp_keepalives_idle = 5; \
         SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3",
    )?;
    guard.run(ABOUT, DURABLE)?;
    let began = Instant::now();
    let mut pause = Duration::from_millis(10);
    let take = format!("SELECT pg_catalog.pg_try_advisory_lock({LOCK_WORK})::text");
    while guard.value(ABOUT, &take)?.as_deref() != Some("true") {
        if let Some(fence) = fence {
            still_mine(&mut guard, fence)?;
        }
        if began.elapsed() >= limits.turn {
            let who = holder(&mut guard)?;
            let waited_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            return Err(PostgresError::Busy { place: guard.place().to_owned(), who, waited_ms });
        }
        end_still(&mut guard, limits.still)?;
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(500));
    }
    Ok(guard)
}

/// Whether nobody took over.
fn still_mine(guard: &mut Connection, fence: i64) -> Result<(), PostgresError> {
    if guard.number("fence", "SELECT fence FROM ripcord.database")? == fence {
        return Ok(());
    }
    Err(PostgresError::Superseded { place: guard.place().to_owned() })
}

fn work(address: &str, fence: i64, limits: &Limits) -> Result<Connection, PostgresError> {
    let mut work = Connection::open_as_user(address, &format!("work/{fence}"), limits)?;
    work.run(ABOUT, DURABLE)?;
    Ok(work)
}

/// Who holds the lock, in words.
fn holder(guard: &mut Connection) -> Result<String, PostgresError> {
    let sql = format!(
        "SELECT 'process ' || a.pid || ' at the server, since ' || a.backend_start::timestamptz(0) \
         FROM pg_catalog.pg_stat_activity a WHERE a.pid IN ({HOLDERS})"
    );
    Ok(guard.value(ABOUT, &sql)?.unwrap_or_else(|| "it has just ended".to_owned()))
}

/// The processes that hold the lock in this database.
const HOLDERS: &str = "SELECT l.pid FROM pg_catalog.pg_locks l \
    WHERE l.locktype = 'advisory' AND l.granted AND l.database = \
    (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
    AND l.classid = 5392720 AND l.objid = 1464816203 AND l.objsubid = 1";

/// Ends a holder that stands still: its process was stopped, or its network is gone. One that
/// waits for the server is at work, however long that takes.
fn end_still(guard: &mut Connection, still: Duration) -> Result<(), PostgresError> {
    let sql = format!(
        "SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(a.pid)) \
         FROM pg_catalog.pg_stat_activity a \
         WHERE a.datname = pg_catalog.current_database() AND a.usename = CURRENT_USER \
         AND a.pid <> pg_catalog.pg_backend_pid() \
         AND (a.pid IN ({HOLDERS}) AND a.application_name = 'ripcord/guard' \
              OR a.application_name LIKE 'ripcord/work/%') \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity b \
             WHERE b.datname = a.datname AND (b.application_name LIKE 'ripcord/work/%' \
             OR b.pid IN ({HOLDERS}) AND b.application_name = 'ripcord/guard') \
             AND (b.state = 'active' OR b.state_change > pg_catalog.clock_timestamp() \
             - pg_catalog.make_interval(secs => {})))",
        still.as_secs_f64()
    );
    guard.rows(ABOUT, &sql).map(|_| ())
}

/// Ends what a holder before left at work, and waits until it is gone.
fn end_others(guard: &mut Connection) -> Result<(), PostgresError> {
    let others = "FROM pg_catalog.pg_stat_activity a WHERE a.application_name LIKE \
                  'ripcord/work/%' AND a.datname = pg_catalog.current_database()";
    let end = format!(
        "SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(a.pid)) {others} \
         AND a.usename = CURRENT_USER"
    );
    let until = Instant::now() + END_MAX;
    while guard.number(ABOUT, &format!("SELECT pg_catalog.count(*) {others}"))? > 0 {
        if Instant::now() >= until {
            let who = "what an ended one left at work does not end".to_owned();
            let waited_ms = u64::try_from(END_MAX.as_millis()).unwrap_or(u64::MAX);
            return Err(PostgresError::Busy { place: guard.place().to_owned(), who, waited_ms });
        }
        guard.rows(ABOUT, &end)?;
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
