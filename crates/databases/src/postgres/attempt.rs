//! One transaction of a run, until it is committed or known not to be: others in the way are
//! waited for, within bounds; a connection that breaks is made anew; and when the answer to COMMIT
//! is lost, the mark that was set in the transaction says what happened.

use crate::postgres::outcome::Progress;
use crate::postgres::own;
use crate::postgres::quiet::{bound, quietly};
use crate::postgres::session::Session;
use crate::postgres::terms::{Terms, pause_ms};
use crate::postgres::trouble::PostgresError;
use std::time::Duration;

/// Where progress goes.
pub(crate) type Report<'a> = dyn FnMut(Progress) + 'a;

const ABOUT: &str = "transaction";

/// Does something in a transaction of the work connection and commits it. `key` names what is done
/// and is never used again once it was done.
pub(crate) fn attempt<T>(
    session: &mut Session,
    terms: &Terms,
    key: &str,
    report: &mut Report<'_>,
    mut body: impl FnMut(&mut Session, &mut Report<'_>) -> Result<T, PostgresError>,
) -> Result<T, PostgresError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        // Who took over has another fence, so that no two processes share a mark.
        let mark = format!("{key}:{}:{attempt}", session.fence());
        let error = match once(session, terms, &mark, report, &mut body) {
            Ok(done) => return Ok(done),
            Err(Fault::Before(error)) => error,
            Err(Fault::Commit(error, done)) => {
                settle(session, &error)?;
                if !own::forbid(session.guard(), &mark).map_err(|error| unsure(&error))? {
                    return Ok(done);
                }
                error
            }
        };
        if error.is_lost() {
            settle(session, &error)?;
        } else {
            // After a failed COMMIT there is nothing left to roll back, which is no error.
            session.work().run(ABOUT, "ROLLBACK")?;
        }
        if !error.is_lost() && !error.is_contention() {
            return Err(error);
        }
        if attempt >= terms.attempts_max.max(1) {
            let (place, why) = (session.place().to_owned(), error.to_string());
            return Err(PostgresError::Contended { place, why, attempts: attempt });
        }
        report(Progress::Waiting { attempt, why: error.to_string() });
        std::thread::sleep(Duration::from_millis(pause_ms(attempt)));
    }
}

/// Where an attempt failed.
enum Fault<T> {
    /// Before its end was asked for: it did not happen.
    Before(PostgresError),
    /// While its end was awaited: it may have happened.
    Commit(PostgresError, T),
}

fn once<T>(
    session: &mut Session,
    terms: &Terms,
    mark: &str,
    report: &mut Report<'_>,
    body: &mut impl FnMut(&mut Session, &mut Report<'_>) -> Result<T, PostgresError>,
) -> Result<T, Fault<T>> {
    let begun = begin(session, terms, mark);
    let done = begun.and_then(|()| body(session, report)).map_err(Fault::Before)?;
    match session.work().run(ABOUT, "COMMIT") {
        Ok(()) => Ok(done),
        Err(error) if error.is_lost() => Err(Fault::Commit(error, done)),
        Err(error) => Err(Fault::Before(error)),
    }
}

fn begin(session: &mut Session, terms: &Terms, mark: &str) -> Result<(), PostgresError> {
    session.work().run(ABOUT, "BEGIN")?;
    bound(session.work(), terms)?;
    session.check()?;
    quietly(session.work(), |work| own::mark(work, mark)).map(|_| ())
}

fn settle(session: &mut Session, error: &PostgresError) -> Result<(), PostgresError> {
    if !error.is_lost() {
        return Ok(());
    }
    session.recover().map_err(|error| unsure(&error))
}

/// A second fault while the first was being looked into.
fn unsure(error: &PostgresError) -> PostgresError {
    match error {
        PostgresError::Unreachable { place, why } => {
            PostgresError::Unsure { place: place.clone(), why: why.clone() }
        }
        PostgresError::Superseded { place } => PostgresError::Superseded { place: place.clone() },
        PostgresError::Busy { place, who, waited_ms } => {
            PostgresError::Busy { place: place.clone(), who: who.clone(), waited_ms: *waited_ms }
        }
        other => PostgresError::Unsure { place: String::new(), why: other.to_string() },
    }
}
