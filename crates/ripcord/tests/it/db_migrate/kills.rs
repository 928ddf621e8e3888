//! kill -9 at every place that a run passes, and simply running again; two at once; a folder that
//! fails in the middle.

use super::world::{World, answer};
use std::process::Stdio;

/// More places than these runs pass.
const PLACES_MAX: u64 = 60;

/// Migrations of all sorts: with loss, with data, and one that no transaction takes.
fn folder(world: &World) {
    world.write(
        "1_notes.up.sql",
        "CREATE TABLE notes (id integer PRIMARY KEY, body text, extra text);\n\
         INSERT INTO notes SELECT n, 'body ' || n, 'extra ' || n FROM generate_series(1, 50) n;",
    );
    world.write("1_notes.down.sql", "DROP TABLE notes;");
    world.write(
        "2_change.up.sql",
        "ALTER TABLE notes DROP COLUMN extra;\nUPDATE notes SET body = upper(body) WHERE id < 20;\n\
         DELETE FROM notes WHERE id > 40;",
    );
    world.write("3_index.up.sql", "CREATE INDEX CONCURRENTLY notes_body ON notes (body);");
    world.write("3_index.down.sql", "DROP INDEX notes_body;");
}

const FILES: [&str; 3] = ["1_notes.up.sql", "2_change.up.sql", "3_index.up.sql"];

/// Every so many places are tried: each takes three runs of the binary, and with all of them the
/// two tests would take half a minute instead of some seconds.
const PLACES_STEP: usize = 3;

/// Kills a verb at one place after the other, runs it again, and looks.
fn pull_the_plug(world: &World, verb: &[&str], look: impl Fn(&World, u64), again: &[&str]) {
    for place in (1..=PLACES_MAX).step_by(PLACES_STEP) {
        let mut command = world.command(verb);
        command.env("RIPCORD_CRASH", format!("place:{place}"));
        let cut = answer(&mut command);
        if cut.code == 0 {
            assert!(place > 5, "only {place} places");
            return;
        }
        assert_eq!(cut.code, -1, "place {place}: {cut:?}");
        world.run(verb).expect(0);
        look(world, place);
        world.run(again).expect(0);
    }
    panic!("it passes more than {PLACES_MAX} places");
}

#[test]
fn killed_anywhere_going_up_it_goes_on() {
    let world = World::new("golang-migrate");
    folder(&world);
    let mut expected = world.twin(&FILES);
    expected.extend(world.twin(&[]));
    let look = |world: &World, place: u64| {
        let schema: Vec<String> = world
            .schema()
            .into_iter()
            .filter(|statement| !statement.contains("schema_migrations"))
            .collect();
        let missing: Vec<&String> = expected.iter().filter(|s| !schema.contains(s)).collect();
        assert!(missing.is_empty(), "place {place}: {missing:?}");
        assert_eq!(world.value("SELECT count(*) FROM notes"), "40", "place {place}");
        assert_eq!(world.value("SELECT body FROM notes WHERE id = 7"), "BODY 7", "place {place}");
        assert_eq!(world.stands(), "1 applied, 2 applied, 3 applied", "place {place}");
        let left = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal";
        assert_eq!(world.value(left), "0", "place {place}: triggers are left");
    };
    pull_the_plug(&world, &["up"], look, &["down", "--to", "0"]);
}

#[test]
fn killed_anywhere_going_down_it_goes_on() {
    let world = World::new("golang-migrate");
    folder(&world);
    world.run(&["up"]).expect(0);
    let look = |world: &World, place: u64| {
        let sum = "SELECT count(*) || ' ' || count(extra) || ' ' || min(body) FROM notes";
        assert_eq!(world.value(sum), "50 50 body 1", "place {place}");
        assert_eq!(world.stands(), "1 applied, 2 undone, 3 undone", "place {place}");
    };
    pull_the_plug(&world, &["down", "--to", "1"], look, &["up"]);
}

/// Whoever comes second waits, and finds that nothing is left to do.
#[test]
fn several_at_once() {
    let world = World::new("dbmate");
    world.write(
        "1_a.sql",
        "-- migrate:up\nCREATE TABLE a (id integer); INSERT INTO a VALUES (1);\n\
         -- migrate:down\nDROP TABLE a;\n",
    );
    world.write("2_b.sql", "-- migrate:up\nINSERT INTO a VALUES (2);\n-- migrate:down\n");
    let start =
        |_| world.command(&["up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children: Vec<_> = (0..4).map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}");
    }
    assert_eq!(world.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM a"), "1 2");
    assert_eq!(world.stands(), "1 applied, 2 applied");
}

/// What ran before a failure stays, the failed one leaves no trace, and mending it is enough.
#[test]
fn a_folder_that_fails_in_the_middle() {
    let world = World::new("goose");
    world.write("1_a.sql", "-- +goose Up\nCREATE TABLE a (id integer);\n");
    let broken = "-- +goose Up\nCREATE TABLE b (id integer);\nINSERT INTO missing VALUES (1);\n";
    world.write("2_b.sql", broken);
    let failed = world.run(&["up"]).expect(3);
    assert!(failed.stderr.contains("RC0215") && failed.stderr.contains("missing"), "{failed:?}");
    assert!(failed.stderr.contains("line 3"), "{failed:?}");
    assert_eq!(world.stands(), "1 applied, 2 pending");
    assert_eq!(world.value("SELECT to_regclass('b')::text"), "NULL");
    world.write("2_b.sql", "-- +goose Up\nCREATE TABLE b (id integer);\n");
    world.run(&["up"]).expect(0);
    assert_eq!(world.stands(), "1 applied, 2 applied");
}
