//! Nonsense of all kinds: each is told from the others, changes nothing, and shows no password.

use super::world::{World, answer};
use crate::site::RIPCORD;
use std::fs;
use std::process::Command;

fn check(world: &World, words: &[&str], code: i32, expected: &str) {
    let answer = world.run(words);
    let text = format!("{}{}", answer.stdout, answer.stderr);
    assert_eq!(answer.code, code, "{words:?}: {text}");
    assert!(text.contains(expected), "{words:?}: {text}");
}

#[test]
fn of_the_folder() {
    let world = World::new("plain");
    check(&world, &["up"], 2, "RC0108");
    world.write("1_a.up.sql", "CREATE TABLE a (id integer);");
    check(&world, &["up", "--to", "7"], 2, "no migration here has the version 7");
    check(&world, &["down", "--to", "7"], 2, "no migration here has the version 7");
    check(&world, &["down", "--to", "1", "--steps", "1"], 2, "cannot be used with");
    check(&world, &["down", "--steps", "-1"], 2, "-1");
    check(&world, &["attach", "--at", "9"], 3, "no file has this version");
    check(&world, &["up", "--lock-timeout", "0"], 2, "lock-timeout");
    fs::write(world.folder.path().join("2_b.up.sql"), b"\xff\xfe").unwrap();
    check(&world, &["up"], 2, "not UTF-8");
    fs::remove_file(world.folder.path().join("2_b.up.sql")).unwrap();
    world.write("01_c.up.sql", "CREATE TABLE c (id integer);");
    check(&world, &["up"], 2, "version 1 too");
    assert_eq!(world.value("SELECT to_regclass('a')::text"), "NULL", "nothing was run");
}

#[test]
fn of_the_history() {
    let world = World::new("dbmate");
    world.write("1_a.sql", "-- migrate:up\nCREATE TABLE a (id integer);\n");
    check(&world, &["status", "--history", "a.b.c"], 2, "is not the name of a table");
    check(&world, &["status", "--history", ""], 2, "is not the name of a table");
    world.database.run("CREATE TABLE schema_migrations (number integer)");
    check(&world, &["up"], 3, "is not the history of dbmate");
    world.database.run(
        "DROP TABLE schema_migrations; CREATE SCHEMA one; CREATE SCHEMA two; \
         CREATE TABLE one.schema_migrations (version text); \
         CREATE TABLE two.schema_migrations (version text)",
    );
    check(&world, &["up"], 3, "each of the schemas one, two");
    check(&world, &["up", "--history", "two.schema_migrations"], 0, "1 migration applied");
    assert_eq!(world.value("SELECT version FROM two.schema_migrations"), "1");
}

#[test]
fn of_the_address() {
    let world = World::new("plain");
    world.write("1_a.up.sql", "CREATE TABLE a (id integer);");
    for (url, code, expected) in [
        ("postgresql://u:swordfish@127.0.0.1:1/shop", 6, "RC0412"),
        ("postgresql://u:swordfish@127.0.0.1:1/shop?sslmode=require", 6, "RC0412"),
        ("postgresql://u:swordfish@127.0.0.1:1/shop?sslmode=maybe", 2, "verify-full"),
        ("postgresql://u:swordfish@h/d?sslmode=verify-ca&sslrootcert=/none", 2, "by TLS"),
        ("swordfish", 2, "not the address of a database"),
    ] {
        for verb in [vec!["status"], vec!["up"], vec!["down"], vec!["attach"]] {
            let mut command = Command::new(RIPCORD);
            command.arg("db").args(&verb).args(["--url", url, "--format", "plain", "--dir"]);
            let answer = answer(command.arg(world.folder.path()));
            let text = format!("{}{}", answer.stdout, answer.stderr);
            assert_eq!(answer.code, code, "{verb:?} {url}: {text}");
            assert!(text.contains(expected), "{verb:?} {url}: {text}");
            assert!(!text.contains("swordfish"), "{verb:?} tells a password: {text}");
        }
    }
}
