//! Modes: what becomes of what a migration destroys, as the command line says it.

use super::world::{World, answer};
use crate::cluster::cluster;
use crate::site::RIPCORD;
use std::process::{Command, Stdio};

fn world() -> World {
    let world = World::new("plain");
    world.database.run(
        "CREATE TABLE people (id integer PRIMARY KEY, email text); \
         INSERT INTO people VALUES (1, 'ann@x'), (2, 'bob@x'); \
         CREATE TABLE old (id integer PRIMARY KEY, email text); INSERT INTO old VALUES (7, 'ann@x')",
    );
    world.write("1_less.up.sql", "ALTER TABLE people DROP COLUMN email;\nDROP TABLE old;");
    world
}

#[test]
fn what_is_hidden_is_seen_shown_copied_out_and_brought_back() {
    let world = world();
    let before = world.schema();
    let plan = world.run(&["plan", "up", "--mode", "hide"]).expect(0).stdout;
    assert!(plan.contains("hidden: column people.email") && plan.contains("hidden: table old"));
    assert!(plan.contains("SELECT *") && !plan.contains("kept:"), "{plan}");
    let ran = world.run(&["up", "--mode", "hide"]).expect(0).stdout;
    assert!(ran.contains("hidden column people.email") && ran.contains("ripcord_hidden_"), "{ran}");
    let status = world.run(&["status"]).expect(0).stdout;
    assert!(status.contains("hidden: table old, meanwhile ripcord.ripcord_hidden_1_2"), "{status}");
    let list = world.bare(&["kept", "list"]).expect(0).stdout;
    assert!(list.contains("hidden column email") && list.contains("hidden table"), "{list}");
    assert!(world.bare(&["kept", "show", "1"]).expect(0).stdout.contains("bob@x"));
    world.bare(&["kept", "restore", "2", "--into", "public.seen"]).expect(0);
    assert_eq!(world.value("SELECT id || email FROM seen"), "7ann@x");
    world.database.run("DROP TABLE seen");
    let forget = ["kept", "purge", "--key", "email=ann@x", "--why", "asked to be forgotten"];
    assert!(world.bare(&forget).expect(0).stdout.contains("2 rows of 2 pieces"));
    let refused = world.bare(&["detach"]).expect(3).stderr;
    assert!(refused.contains("hidden: public.people.email, public.old"), "{refused}");
    world.run(&["down"]).expect(0);
    assert_eq!(world.schema(), before);
    assert_eq!(world.value("SELECT string_agg(id || ':' || email, ' ') FROM people"), "2:bob@x");
    assert_eq!(world.value("SELECT count(*) FROM old"), "0");
    assert!(!world.run(&["status"]).expect(3).stdout.contains("hidden"));
}

#[test]
fn what_is_hidden_can_be_purged_for_good() {
    let world = world();
    world.run(&["up", "--mode", "hide"]).expect(0);
    for piece in ["1", "2"] {
        world.bare(&["kept", "purge", piece, "--why", "not needed"]).expect(0);
    }
    let schema = world.schema().concat();
    assert!(!schema.contains("email") && !schema.contains("ripcord_hidden"), "{schema}");
    let back = world.run(&["down"]).expect(0).stdout;
    assert!(back.contains("was purged"), "{back}");
    assert_eq!(world.value("SELECT count(*) || ' ' || count(email) FROM people"), "2 0");
}

#[test]
fn what_is_put_off_is_listed_and_finished() {
    let world = world();
    let ran = world.run(&["up", "--mode", "defer"]).expect(0).stdout;
    assert!(ran.contains("waits for `ripcord db finish`"), "{ran}");
    assert_eq!(world.value("SELECT count(email) FROM people"), "2");
    let status = world.run(&["status"]).expect(0).stdout;
    assert!(status.contains("1, line 2, waits for `finish`: DROP TABLE old"), "{status}");
    assert!(world.bare(&["detach"]).expect(3).stderr.contains("put off: ALTER TABLE"));
    let done = world.run(&["finish", "--mode", "hide"]).expect(0).stdout;
    assert!(done.contains("hidden table old") && done.contains("1 migration finished"), "{done}");
    assert!(world.run(&["finish"]).expect(0).stdout.contains("nothing to do"));
    assert!(!world.run(&["status"]).expect(0).stdout.contains("waits"));
    world.run(&["down"]).expect(0);
    assert_eq!(world.value("SELECT string_agg(email, ' ') FROM people"), "ann@x bob@x");
    assert_eq!(world.value("SELECT email FROM old"), "ann@x");
}

#[test]
fn destroying_needs_a_reason() {
    let world = world();
    world.run(&["up", "--mode", "destroy"]).expect(2);
    let ran = world.run(&["up", "--mode", "destroy", "--why", "the law"]).expect(0).stdout;
    assert!(ran.contains("gone for good: 2 values of people.email"), "{ran}");
    assert!(ran.contains("destroyed on line 2: the law"), "{ran}");
    assert_eq!(world.value("SELECT count(*) FROM ripcord.kept"), "0");
}

#[test]
fn a_role_that_only_reads_may_plan_and_look() {
    let world = world();
    world.database.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO bob");
    let bob = |words: &[&str]| {
        let mut command = Command::new(RIPCORD);
        command.arg("db").args(words).arg("--dir").arg(world.folder.path());
        command.args(["--format", "plain", "--url", &cluster().tcp("bob", &world.database.name)]);
        answer(command.stdin(Stdio::null()))
    };
    assert!(bob(&["plan", "up"]).expect(0).stdout.contains("kept: 2 values of people.email"));
    bob(&["status"]).expect(3);
    let refused = bob(&["up"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("GRANT CREATE ON DATABASE"), "{refused:?}");
    world.run(&["up"]).expect(0);
    let refused = bob(&["status"]);
    assert!(refused.stderr.contains("GRANT USAGE ON SCHEMA ripcord"), "{refused:?}");
    world.database.run(
        "GRANT USAGE ON SCHEMA ripcord TO bob; GRANT SELECT ON ALL TABLES IN SCHEMA ripcord TO bob",
    );
    bob(&["status"]).expect(0);
    bob(&["plan", "down"]).expect(0);
}
