//! What is said beforehand: plans, which change nothing, and the score of a folder.

use super::world::World;

fn world() -> World {
    let world = World::new("plain");
    world.write(
        "1_notes.up.sql",
        "CREATE TABLE notes (id integer PRIMARY KEY, body text, extra text);\n\
         INSERT INTO notes VALUES (1, 'a', 'x'), (2, 'b', 'y');",
    );
    world.write("1_notes.down.sql", "DROP TABLE notes;");
    world.write("2_less.up.sql", "ALTER TABLE notes DROP COLUMN extra;");
    world.write("3_index.up.sql", "CREATE INDEX notes_body ON notes (body);");
    // A way back that is not one.
    world.write("3_index.down.sql", "SELECT 1;");
    world
}

#[test]
fn a_plan_says_what_would_be_kept_and_changes_nothing() {
    let world = world();
    world.run(&["up", "--to", "1"]).expect(0);
    let before = world.database.dump();
    let plan = world.run(&["plan", "up", "--json"]).expect(0).json();
    let versions: Vec<&str> = plan["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["version"].as_str().unwrap())
        .collect();
    assert_eq!(versions, ["2", "3"]);
    assert_eq!(plan["migrations"][0]["way_back"], "derived");
    assert_eq!(plan["forecast"]["kept"][0]["count"], 2, "{plan}");
    assert_eq!(world.database.dump(), before);
    let kept = world.run(&["up", "--json"]).expect(0);
    let first: serde_json::Value =
        serde_json::from_str(kept.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["kept"], plan["forecast"]["kept"], "the outcome is the forecast");
    let plan = world.run(&["plan", "down", "--to", "1"]).expect(0);
    assert!(plan.stdout.contains("3        index  script"), "{plan:?}");
    assert!(plan.stdout.contains("2        less   derived"), "{plan:?}");
    assert!(world.run(&["plan", "up"]).expect(0).stdout.contains("nothing to do"));
}

#[test]
fn a_plan_back_counts_and_what_was_accepted_is_the_limit() {
    let world = World::new("plain");
    world.write(
        "1_notes.up.sql",
        "CREATE TABLE notes (id integer PRIMARY KEY, body text, extra text);\n\
         INSERT INTO notes VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z');",
    );
    world.write(
        "2_less.up.sql",
        "ALTER TABLE notes DROP COLUMN extra, ADD COLUMN more text; UPDATE notes SET body = 'new' WHERE id < 3;",
    );
    world.run(&["up"]).expect(0);
    world.value(
        "UPDATE notes SET more = 'user' WHERE id = 1; UPDATE notes SET body = 'mine' WHERE id = 2",
    );
    let before = world.schema();
    let plan = world.run(&["plan", "down", "--json"]).expect(0).json();
    let hidden = serde_json::json!([{ "what": "notes.more", "unit": "values", "count": 1 }]);
    assert_eq!(plan["forecast"]["hidden"], hidden, "{plan}");
    assert_eq!(plan["conflicts"][0]["what"], "public.notes.body", "{plan}");
    assert_eq!(plan["conflicts"][0]["count"], 1, "{plan}");
    assert_eq!(plan["locks"][0]["table"], "notes", "{plan}");
    assert_eq!(world.schema(), before, "nothing was changed");
    let file = world.folder.path().join("plan.json");
    std::fs::write(&file, plan.to_string()).unwrap();
    let accept = file.to_str().unwrap().to_owned();
    // One more user writes between the plan and the act.
    world.value("UPDATE notes SET more = 'late' WHERE id = 3");
    let refused = world.run(&["down", "--accept", &accept]).expect(3);
    assert!(refused.stderr.contains("2 values of notes.more, and 1 were accepted"), "{refused:?}");
    assert_eq!(world.schema(), before, "nothing was changed");
    world.value("UPDATE notes SET more = NULL WHERE id = 3");
    world.value("UPDATE notes SET body = 'theirs' WHERE id = 1");
    let refused = world.run(&["down", "--accept", &accept]).expect(3);
    assert!(refused.stderr.contains("1 were accepted: 2 of public.notes.body"), "{refused:?}");
    world.value("UPDATE notes SET body = 'new' WHERE id = 1");
    let done = world.run(&["down", "--accept", &accept, "--json"]).expect(0);
    assert!(done.stderr.contains("conflict: public.notes.body (1)"), "told beforehand: {done:?}");
    let line: serde_json::Value =
        serde_json::from_str(done.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(line["hidden"], plan["forecast"]["hidden"], "the outcome is the forecast");
    assert_eq!(line["conflicts"], plan["conflicts"], "the outcome is the forecast");
    assert_eq!(world.value("SELECT string_agg(extra, ',' ORDER BY id) FROM notes"), "x,y,z");
    assert_eq!(world.value("SELECT string_agg(body, ',' ORDER BY id) FROM notes"), "a,mine,c");
    world.run(&["up", "--accept", "/nowhere"]).expect(2);
}

#[test]
fn a_score_counts_what_comes_back_exactly() {
    let world = world();
    let score = world.run(&["score"]).expect(0);
    assert!(score.stdout.contains("3 of 3 come back exactly"), "{score:?}");
    assert!(score.stdout.contains("put right"), "the empty down script was put right: {score:?}");
    assert!(score.stdout.contains("2 less (way back derived)"), "{score:?}");
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'ripcord_score%'";
    assert_eq!(world.value(left), "0", "the scratch database is dropped");
    assert_eq!(world.stands(), "1 pending, 2 pending, 3 pending", "the database itself is left");
    world.write("4_broken.up.sql", "SELECT missing;");
    let score = world.run(&["score", "--json"]).expect(3).json();
    assert_eq!((&score["exact"], &score["of"]), (&3.into(), &4.into()), "{score}");
    assert!(score["steps"][3]["differs"][0].as_str().unwrap().starts_with("up: "), "{score}");
}
