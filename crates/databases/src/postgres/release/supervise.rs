//! Working at a server while somebody watches the time: when it is over, or somebody asks to stop,
//! the statement that runs is cancelled, by another connection.

use crate::postgres::connection::{Connection, Limits};
use ripcord_core::run::Receipt;
use ripcord_engine::{Failure, Result, Ticket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How often the watcher looks at the time and at the ticket.
const GLANCE: Duration = Duration::from_millis(20);

/// How often a statement is cancelled that goes on.
const CANCEL_EVERY: Duration = Duration::from_millis(500);

/// Works, and sees to it that it ends.
pub(super) fn supervised(
    ticket: &Ticket<'_>,
    address: &str,
    work: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> Result<Receipt> + Send,
) -> Result<Receipt> {
    let (stopped, late) = (AtomicBool::new(false), AtomicBool::new(false));
    let deadline = Instant::now() + Duration::from_millis(ticket.deadline_ms);
    let (done, is_done) = mpsc::channel::<()>();
    let result = std::thread::scope(|scope| {
        let halt = || stopped.load(Ordering::SeqCst) || late.load(Ordering::SeqCst);
        let worker = scope.spawn(move || {
            // Dropped at the end, even of a panic, which ends the watching at once.
            let _done = done;
            work(&halt)
        });
        let mut cancelled: Option<Instant> = None;
        while is_done.recv_timeout(GLANCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            if (ticket.stop)() {
                stopped.store(true, Ordering::SeqCst);
            }
            if Instant::now() >= deadline {
                late.store(true, Ordering::SeqCst);
            }
            let due = cancelled.is_none_or(|at| at.elapsed() >= CANCEL_EVERY);
            if (stopped.load(Ordering::SeqCst) || late.load(Ordering::SeqCst)) && due {
                cancel(address);
                cancelled = Some(Instant::now());
            }
        }
        worker.join()
    });
    let result = result.map_err(|_| Failure::unknown("the work on the database broke off"))?;
    match result {
        Err(Failure::Definite(_) | Failure::Interrupted) if stopped.load(Ordering::SeqCst) => {
            Err(Failure::Interrupted)
        }
        Err(Failure::Definite(why)) if late.load(Ordering::SeqCst) => Err(Failure::Deadline(
            format!("the database took longer than {} ms ({why})", ticket.deadline_ms),
        )),
        Err(Failure::Interrupted) => Err(Failure::Deadline(format!(
            "the database took longer than {} ms",
            ticket.deadline_ms
        ))),
        other => other,
    }
}

/// Cancels the statement at work. Whoever cannot be reached cancels nothing, and ends by itself.
fn cancel(address: &str) {
    let second = Duration::from_secs(1);
    let limits = Limits { connect: second, statement: second, ..Limits::default() };
    let sql = "SELECT pg_catalog.pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity a \
               WHERE a.datname = pg_catalog.current_database() AND a.usename = CURRENT_USER \
               AND a.application_name LIKE 'ripcord/work/%' AND a.state = 'active'";
    if let Ok(mut connection) = Connection::open(address, "release", &limits) {
        drop(connection.rows("work", sql));
    }
}
