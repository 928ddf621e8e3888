//! Rows that refer to each other, on the way forward and back.

use crate::world::{World, script};
use ripcord_core::schema::{Direction, Wanted};
use ripcord_engine::{Database as _, Failure};

const SQL: &str = "
CREATE TABLE parents(id INTEGER PRIMARY KEY, n);
CREATE TABLE children(id INTEGER PRIMARY KEY, parent INT REFERENCES parents(id) ON DELETE CASCADE);
INSERT INTO parents VALUES(1, 'a'), (2, 'b');
INSERT INTO children VALUES(1, 1), (2, 1), (3, 2);
";

#[test]
fn cascades_are_seen_and_taken_back() {
    let world = World::new(SQL);
    let change = world.plan(Direction::Up, &[script(1, "DELETE FROM parents WHERE id = 1", None)]);
    let prints = world.prints();
    let receipt = world.ensure(&change, Wanted::Made).unwrap();
    assert_eq!(world.rows("SELECT id FROM children"), "3");
    let kept: Vec<String> = receipt.kept.iter().map(ToString::to_string).collect();
    assert_eq!(kept, ["1 row of parents", "2 rows of children"]);
    world.ensure(&change, Wanted::Unmade).unwrap();
    assert_eq!(world.prints(), prints);
}

#[test]
fn a_table_made_anew_keeps_the_rows_that_refer_to_it() {
    let world = World::new(SQL);
    let up = "CREATE TABLE fresh(id INTEGER PRIMARY KEY, n TEXT NOT NULL);
              INSERT INTO fresh SELECT * FROM parents; DROP TABLE parents;
              ALTER TABLE fresh RENAME TO parents;";
    let prints = world.prints();
    let change = world.make(Direction::Up, &[script(1, up, None)]);
    assert_eq!(world.rows("SELECT count(*) FROM children"), "3");
    world.write("INSERT INTO parents VALUES(3, 'c'); INSERT INTO children VALUES(4, 3)");
    world.ensure(&change, Wanted::Unmade).unwrap();
    assert_eq!(world.rows("SELECT id FROM parents"), "1\n2\n3");
    world.write("DELETE FROM children WHERE id = 4; DELETE FROM parents WHERE id = 3");
    assert_eq!(world.prints(), prints);
}

#[test]
fn a_change_that_orphans_rows_is_refused() {
    let world = World::new(SQL);
    let up = script(1, "DROP TABLE parents; CREATE TABLE parents(id INTEGER PRIMARY KEY)", None);
    let refused = world.database.preview(Direction::Up, &[up]);
    assert!(matches!(refused, Err(Failure::Definite(why)) if why.contains("refer to nothing")));
}

#[test]
fn seeds_that_users_refer_to_stay() {
    let world = World::new(SQL);
    let up =
        "INSERT INTO parents VALUES(10, 'seed'), (11, 'seed'); INSERT INTO children VALUES(10, 11)";
    let change = world.make(Direction::Up, &[script(1, up, None)]);
    world.write("INSERT INTO children VALUES(20, 10)");
    world.ensure(&change, Wanted::Unmade).unwrap();
    assert_eq!(world.rows("SELECT id FROM parents"), "1\n2\n10");
    assert_eq!(world.rows("SELECT id FROM children"), "1\n2\n3\n20");
    world.database.integrity().unwrap();
}

#[test]
fn rows_whose_parent_users_removed_stay_aside() {
    let world = World::new(SQL);
    let change = world.make(Direction::Up, &[script(1, "DELETE FROM children", None)]);
    world.write("DELETE FROM parents WHERE id = 1");
    let receipt = world.ensure(&change, Wanted::Unmade).unwrap();
    assert_eq!(world.rows("SELECT id FROM children"), "3");
    assert!(
        receipt.what.contains("kept aside, since there is no place for them: 2 rows of children")
    );
    assert_eq!(world.rows("SELECT count(*) FROM ripcord_kept_2 WHERE state = 'd'"), "3");
    world.database.integrity().unwrap();
}
