//! Down scripts of authors: what they compute for rows written since is used.

use crate::world::{World, script};
use ripcord_core::schema::Direction;

#[test]
fn a_down_script_fills_rows_written_since() {
    let world = World::new(
        "CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         INSERT INTO people VALUES(1, 'Ada  Lovelace'), (2, 'Alan Turing');",
    );
    let before = world.digest();
    let up = script(
        1,
        "ALTER TABLE people ADD first TEXT; ALTER TABLE people ADD last TEXT;
         UPDATE people SET first = substr(name, 1, instr(name, ' ') - 1),
                           last = substr(name, instr(name, ' ') + 1);
         ALTER TABLE people DROP COLUMN name;",
        Some(
            "ALTER TABLE people ADD name TEXT NOT NULL DEFAULT '';
             UPDATE people SET name = first || ' ' || last;
             ALTER TABLE people DROP COLUMN first; ALTER TABLE people DROP COLUMN last;",
        ),
    );
    world.make(Direction::Up, std::slice::from_ref(&up));
    world.write("INSERT INTO people VALUES(3, 'Grace', 'Hopper')");
    world.make(Direction::Down, &[up]);
    assert_eq!(world.digest(), before);
    assert_eq!(
        world.rows("SELECT * FROM people"),
        "1|Ada  Lovelace\n2|Alan Turing\n3|Grace Hopper"
    );
}

#[test]
fn the_recorded_script_is_used_when_the_release_lacks_it() {
    let world =
        World::new("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(1, 5)");
    let up = script(1, "UPDATE t SET n = n * 100", Some("UPDATE t SET n = n / 100"));
    world.make(Direction::Up, std::slice::from_ref(&up));
    world.write("INSERT INTO t VALUES(2, 700); UPDATE t SET n = 900 WHERE id = 1");
    world.make(Direction::Down, &[script(1, &up.up, None)]);
    assert_eq!(world.rows("SELECT * FROM t"), "1|9\n2|7");
}
