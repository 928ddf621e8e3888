//! Which database this is, beyond its name: a copy of it, or the same one restored from a backup or
//! taken over by another server, holds marks of Ripcord's that were made elsewhere.

use crate::postgres::connection::Connection;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

const ABOUT: &str = "identity";

/// The server, the database in it, and how often another server took over. A dump takes none of
/// them along; a copy of the files takes the first two.
const IDENTITY: &str = "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()) || '/' || \
    (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) || '/' || \
    pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)";

/// Says what happened when this is not the database any more that it was. From then on it has
/// another incarnation, and what was noted by numbers of the server before counts no longer.
pub(crate) fn recognise(guard: &mut Connection) -> Result<Option<String>, PostgresError> {
    let there = "SELECT 1 FROM pg_catalog.pg_attribute WHERE attname = 'identity' \
                 AND attrelid = 'ripcord.database'::pg_catalog.regclass";
    if guard.rows(ABOUT, there)?.is_empty() {
        guard.run(ABOUT, "ALTER TABLE ripcord.database ADD COLUMN identity text")?;
    }
    // Some hosts do not let anybody ask; then nothing can be told.
    let Ok(Some(now)) = guard.value(ABOUT, IDENTITY) else { return Ok(None) };
    let before = guard.value(ABOUT, "SELECT identity FROM ripcord.database")?;
    if before.as_deref() == Some(now.as_str()) {
        return Ok(None);
    }
    let set = format!("UPDATE ripcord.database SET identity = {}", literal(&now));
    let Some(before) = before else {
        guard.run(ABOUT, &set)?;
        return Ok(None);
    };
    let place = |identity: &str| identity.rsplit_once('/').map(|(place, _)| place.to_owned());
    let moved = place(&before) != place(&now);
    let forget = if moved { "; UPDATE ripcord.applied SET intent = NULL" } else { "" };
    guard.run(
        ABOUT,
        &format!(
            "{set}, incarnation = pg_catalog.gen_random_uuid()::text, fence = fence + 1{forget}"
        ),
    )?;
    let words = if moved {
        "this database was copied or restored from a dump since Ripcord was here last"
    } else {
        "another server took over this database, or it was restored from a backup, since Ripcord \
         was here last"
    };
    Ok(Some(format!(
        "{words}; what was run after that is not in it: `ripcord db status` says how \
                     migrations stand"
    )))
}
