//! Whether a pooler in between gives each transaction another session of the server. Then nothing
//! that Ripcord relies on holds: not its lock, not its settings, not its prepared ways back.

use postgres::{Client, Error, SimpleQueryMessage};

/// How often both connections are asked.
const ROUNDS: usize = 3;

/// Asks two connections in turns which session of the server answers them. Two real ones never
/// share a session and never change theirs; of a pool both get the one that was free last.
pub(crate) fn is_pooled(client: &mut Client, other: &mut Client) -> Result<bool, Error> {
    let (first, second) = (session(client)?, session(other)?);
    if first == second {
        return Ok(true);
    }
    for _ in 1..ROUNDS {
        if session(client)? != first || session(other)? != second {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number of the session.
fn session(client: &mut Client) -> Result<Option<String>, Error> {
    let answer = client.simple_query("SELECT pg_catalog.pg_backend_pid()")?;
    Ok(answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
