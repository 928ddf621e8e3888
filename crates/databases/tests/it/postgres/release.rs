//! A database as releases see it: changes made, unmade, repeated, cut off and fenced.

use super::cluster::{Database as Scratch, database};
use ripcord_core::model::{Digest, Fence, MigrationRef, MigrationVersion, Origin, OriginScript};
use ripcord_core::schema::{Direction, MigrationScript, SchemaChange, SchemaPreview, Wanted};
use ripcord_databases::postgres::{PostgresDatabase, PostgresOptions};
use ripcord_engine::{Database, Failure, Ticket};

const NOTES: &str = "CREATE TABLE notes (id int PRIMARY KEY, text text); \
                     INSERT INTO notes VALUES (1, 'one'), (2, 'two')";
const AUTHOR: &str = "ALTER TABLE notes ADD COLUMN author text";
const WITHOUT_TEXT: &str = "ALTER TABLE notes DROP COLUMN text; DELETE FROM notes WHERE id = 2";

fn script(version: u64, tool: &str, up: &str) -> MigrationScript {
    let history = (tool == "dbmate").then(|| "schema_migrations".to_owned());
    MigrationScript {
        migration: MigrationRef {
            version: MigrationVersion(version),
            name: "step".into(),
            checksum: Digest::of_bytes(up.as_bytes()),
        },
        up: up.into(),
        down: None,
        origin: Some(Origin {
            tool: tool.into(),
            history,
            version: format!("{version:03}"),
            checksum: None,
            up: OriginScript { file: format!("{version:03}_step.sql"), runs: "whole".into() },
            down: None,
        }),
    }
}

/// A scratch database, and Ripcord's hand on it.
struct Site {
    scratch: Scratch,
    database: PostgresDatabase,
}

impl Site {
    fn new(scripts: &[MigrationScript]) -> Site {
        let scratch = database();
        let database = Site::hand(&scratch, scripts, "production");
        Site { scratch, database }
    }

    fn hand(scratch: &Scratch, scripts: &[MigrationScript], environment: &str) -> PostgresDatabase {
        let (url, scripts) = (scratch.url.clone(), scripts.to_vec());
        PostgresDatabase::new(PostgresOptions {
            address: Box::new(move || Ok(url.clone())),
            newest: Box::new(move || Ok(scripts.clone())),
            environment: environment.to_owned(),
        })
    }

    fn plan(&self, id: &str, direction: Direction, scripts: &[MigrationScript]) -> SchemaChange {
        let preview = self.database.preview(direction, scripts).unwrap();
        change(id, &preview)
    }

    fn ensure(&self, change: &SchemaChange, wanted: Wanted) -> Result<String, Failure> {
        ensure(&self.database, change, wanted, 1)
    }

    fn digest(&self) -> Digest {
        self.database.observe().unwrap().digest
    }

    fn applied(&self) -> Vec<u64> {
        let state = self.database.observe().unwrap();
        state.applied.iter().map(|applied| applied.migration.version.0).collect()
    }

    fn rows(&self, sql: &str) -> String {
        let rows = self.scratch.client().query(sql, &[]).unwrap();
        rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join(" ")
    }
}

fn change(id: &str, preview: &SchemaPreview) -> SchemaChange {
    SchemaChange {
        id: id.into(),
        direction: preview.direction,
        scripts: preview.scripts.clone(),
        from: preview.from.clone(),
        to: preview.to.clone(),
        gone_max: preview.forecast.gone.iter().map(|gone| gone.count).sum(),
    }
}

fn ensure(
    database: &PostgresDatabase,
    change: &SchemaChange,
    wanted: Wanted,
    fence: u64,
) -> Result<String, Failure> {
    let plan = "test".into();
    let ticket =
        Ticket { plan: &plan, step: 1, fence: Fence(fence), deadline_ms: 60_000, stop: &|| false };
    database.ensure(change, wanted, &ticket).map(|receipt| receipt.what)
}

#[test]
fn a_release_goes_there_and_back_around_what_users_write() {
    for tool in ["plain", "dbmate"] {
        let all = [script(1, tool, NOTES), script(2, tool, AUTHOR), script(3, tool, WITHOUT_TEXT)];
        let site = Site::new(&all);
        assert!(site.applied().is_empty());
        let first = site.plan("p/1", Direction::Up, &all[..2]);
        assert!(site.ensure(&first, Wanted::Made).unwrap().starts_with("applied 2 migrations"));
        assert_eq!((site.applied(), site.digest()), (vec![1, 2], first.to.clone()));
        site.database.integrity().unwrap();

        let preview = site.database.preview(Direction::Up, &all[2..]).unwrap();
        assert_eq!(preview.breaks_old_code(), ["column notes.text is gone"]);
        let told: Vec<String> = preview.forecast.kept.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["2 values of notes.text", "1 row of notes"]);
        let second = change("p/2", &preview);
        site.ensure(&second, Wanted::Made).unwrap();
        assert_eq!((site.applied(), site.digest()), (vec![1, 2, 3], second.to.clone()));
        site.scratch.run("INSERT INTO notes (id, author) VALUES (3, 'ann')");

        // Days later: the newest release is still the one that is left.
        let back = site.plan("p/3", Direction::Down, &all[2..]);
        assert_eq!(back.to, first.to, "the schema is foretold by name");
        site.ensure(&back, Wanted::Made).unwrap();
        assert_eq!((site.applied(), site.digest()), (vec![1, 2], first.to.clone()));
        let rows = "SELECT id || coalesce(text, '') || coalesce(author, '') FROM notes ORDER BY id";
        assert_eq!(site.rows(rows), "1one 2two 3ann");

        // And over several releases at once, to nothing; then there again.
        let empty = site.plan("p/4", Direction::Down, &all[..2]);
        site.ensure(&empty, Wanted::Made).unwrap();
        assert_eq!((site.applied(), site.digest()), (vec![], first.from.clone()));
        site.ensure(&empty, Wanted::Unmade).unwrap();
        assert_eq!((site.applied(), site.rows(rows)), (vec![1, 2], "1one 2two 3ann".into()));
    }
}

#[test]
fn a_change_is_made_once_and_unmade_once() {
    let all = [script(1, "plain", NOTES), script(2, "plain", WITHOUT_TEXT)];
    let site = Site::new(&all);
    let first = site.plan("p/1", Direction::Up, &all[..1]);
    site.ensure(&first, Wanted::Made).unwrap();
    assert_eq!(site.ensure(&first, Wanted::Made).unwrap(), "the change was already made");

    let second = site.plan("p/2", Direction::Up, &all[1..]);
    site.ensure(&second, Wanted::Made).unwrap();
    assert_eq!(site.rows("SELECT id::text FROM notes ORDER BY id"), "1");
    site.ensure(&second, Wanted::Unmade).unwrap();
    assert_eq!(site.ensure(&second, Wanted::Unmade).unwrap(), "the change was already taken back");
    assert_eq!(site.digest(), first.to);
    assert_eq!(site.rows("SELECT id || text FROM notes ORDER BY id"), "1one 2two");
    let late = site.ensure(&second, Wanted::Made).unwrap_err();
    assert!(matches!(&late, Failure::Definite(why) if why.contains("cannot be made late")));

    // What never arrived leaves a mark that keeps it out.
    let third = change("p/3", &site.database.preview(Direction::Up, &all[1..]).unwrap());
    site.ensure(&third, Wanted::Unmade).unwrap();
    assert!(site.ensure(&third, Wanted::Made).is_err());
    assert_eq!(site.applied(), [1]);
}

#[test]
fn what_was_cut_off_goes_on_or_goes_back() {
    let all =
        [script(1, "plain", NOTES), script(2, "plain", AUTHOR), script(3, "plain", "SELECT 1/0")];
    let site = Site::new(&all);
    let whole = site.plan("p/1", Direction::Up, &all);
    let why = site.ensure(&whole, Wanted::Made).unwrap_err();
    assert!(matches!(&why, Failure::Definite(why) if why.contains("003_step.sql")), "{why:?}");
    assert_eq!(site.applied(), [1, 2], "each migration is a transaction of its own");
    site.ensure(&whole, Wanted::Unmade).unwrap();
    assert_eq!((site.applied(), site.digest()), (vec![], whole.from));
}

#[test]
fn others_are_noticed() {
    let all = [script(1, "plain", NOTES), script(2, "plain", AUTHOR)];
    let site = Site::new(&all);
    let first = site.plan("p/1", Direction::Up, &all[..1]);
    ensure(&site.database, &first, Wanted::Made, 7).unwrap();

    // A controller that was replaced.
    let second = site.plan("p/2", Direction::Up, &all[1..]);
    let fenced = ensure(&site.database, &second, Wanted::Made, 6).unwrap_err();
    assert_eq!(fenced, Failure::Fenced { seen: 7, ours: 6 });

    // Another environment.
    let other = Site::hand(&site.scratch, &all, "staging");
    let refused = ensure(&other, &second, Wanted::Made, 9).unwrap_err();
    assert!(matches!(&refused, Failure::Definite(why) if why.contains("production")));

    // Somebody at work by hand between plan and act: nothing of theirs is taken back.
    site.scratch.run("CREATE TABLE of_somebody ()");
    let stale = ensure(&site.database, &second, Wanted::Made, 7).unwrap_err();
    assert!(matches!(&stale, Failure::Definite(why) if why.contains("by somebody else")));
    ensure(&site.database, &second, Wanted::Unmade, 7).unwrap();
    assert_eq!(site.applied(), [1]);
    site.scratch.run("SELECT * FROM of_somebody");
}

/// A script that changes only rows leaves the schema as it is.
#[test]
fn a_hand_that_was_faster_is_noticed() {
    let all = [script(1, "plain", NOTES), script(2, "plain", "DELETE FROM notes WHERE id = 1")];
    let site = Site::new(&all);
    let first = site.plan("p/1", Direction::Up, &all[..1]);
    site.ensure(&first, Wanted::Made).unwrap();
    let [mine, theirs] = ["p/2", "p/3"].map(|id| site.plan(id, Direction::Up, &all[1..]));
    site.ensure(&theirs, Wanted::Made).unwrap();
    let late = site.ensure(&mine, Wanted::Made).unwrap_err();
    assert!(
        matches!(&late, Failure::Definite(why) if why.contains("by somebody else")),
        "{late:?}"
    );
    site.ensure(&mine, Wanted::Unmade).unwrap();
    assert_eq!((site.applied(), site.rows("SELECT id::text FROM notes")), (vec![1, 2], "2".into()));
}

#[test]
fn what_no_earlier_release_knows_breaks_none() {
    let all = [
        script(1, "plain", NOTES),
        script(2, "plain", "CREATE TABLE tags (name text); ALTER TABLE notes ADD COLUMN tag text"),
        script(3, "plain", "ALTER TABLE tags DROP COLUMN name; ALTER TABLE notes DROP COLUMN text"),
    ];
    let site = Site::new(&all);
    let first = site.plan("p/1", Direction::Up, &all[..1]);
    site.ensure(&first, Wanted::Made).unwrap();
    let together = site.database.preview(Direction::Up, &all[1..]).unwrap();
    assert_eq!(together.breaks_old_code(), ["column notes.text is gone"]);
    let second = site.plan("p/2", Direction::Up, &all[1..2]);
    site.ensure(&second, Wanted::Made).unwrap();
    let third = site.database.preview(Direction::Up, &all[2..]).unwrap();
    assert_eq!(third.breaks_old_code(), ["column tags.name is gone", "column notes.text is gone"]);
}
