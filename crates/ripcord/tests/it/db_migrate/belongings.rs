//! What is kept, for people; and leaving.

use super::world::World;

fn world() -> World {
    let world = World::new("plain");
    world.write(
        "1_people.up.sql",
        "CREATE TABLE people (id integer PRIMARY KEY, email text, age integer);\n\
         INSERT INTO people VALUES (1, 'ann@x', 30), (2, 'bob@x', 40), (3, NULL, 50);",
    );
    world.write("2_less.up.sql", "ALTER TABLE people DROP COLUMN email;");
    world.write("3_none.up.sql", "DROP TABLE people;");
    world.run(&["up"]).expect(0);
    world
}

/// The number of the piece that says this.
fn number(world: &World, what: &str) -> String {
    let list = world.bare(&["kept", "list", "--json"]).expect(0).json();
    let pieces = list["pieces"].as_array().unwrap();
    let piece = pieces.iter().find(|piece| piece["what"].as_str().unwrap().contains(what));
    piece.unwrap_or_else(|| panic!("{what} is not in {list}"))["id"].to_string()
}

#[test]
fn what_is_kept_can_be_seen_and_copied_out() {
    let world = world();
    let values = number(&world, "values of email");
    let shown = world.bare(&["kept", "show", &values]).expect(0);
    assert!(shown.stdout.contains("ann@x") && shown.stdout.contains("bob@x"), "{shown:?}");
    let table = number(&world, "rows of a dropped table");
    world.bare(&["kept", "restore", &table, "--into", "public.old_people"]).expect(0);
    let sum = "SELECT count(*) || ' ' || sum(age) || ' ' || pg_typeof(min(age)) FROM old_people";
    assert_eq!(world.value(sum), "3 120 integer");
    world.bare(&["kept", "restore", &table, "--into", "public.old_people"]).expect(6);
    let unknown = world.bare(&["kept", "show", "4711"]).expect(2);
    assert!(unknown.stderr.contains("RC0017"), "{unknown:?}");
}

#[test]
fn one_person_can_be_forgotten() {
    let world = world();
    let purge = ["kept", "purge", "--key", "email=ann@x", "--why", "asked to be forgotten"];
    let done = world.bare(&purge).expect(0);
    assert!(done.stdout.contains("1 rows of 1 pieces"), "{done:?}");
    let values = number(&world, "values of email");
    let shown = world.bare(&["kept", "show", &values]).expect(0);
    assert!(!shown.stdout.contains("ann@x") && shown.stdout.contains("bob@x"), "{shown:?}");
    let record = "SELECT purged_by || ': ' || purged_why FROM ripcord.kept WHERE purged_why <> ''";
    assert_eq!(world.value(record), "ann: 1 rows by email: asked to be forgotten");
    world.run(&["down", "--to", "1"]).expect(0);
    let left = "SELECT string_agg(coalesce(email, '-'), ' ' ORDER BY id) FROM people";
    assert_eq!(world.value(left), "- bob@x -");
}

#[test]
fn leaving_is_refused_while_something_is_kept() {
    let world = world();
    let refused = world.bare(&["detach"]).expect(3);
    assert!(refused.stderr.contains("RC0225"), "{refused:?}");
    let table = number(&world, "rows of a dropped table");
    world.bare(&["kept", "purge", &table, "--why", "not needed"]).expect(0);
    let values = number(&world, "values of email");
    world.bare(&["kept", "purge", &values, "--why", "not needed"]).expect(0);
    assert!(world.bare(&["kept", "list"]).expect(0).stdout.lines().count() <= 2);
    world.bare(&["detach"]).expect(0);
    assert_eq!(world.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'ripcord'"), "0");
    assert!(world.bare(&["kept", "list"]).expect(0).stdout.contains("nothing is kept"));
    world.bare(&["detach"]).expect(0);
}
