//! Ripcord and a folder's own tool take turns. The tool's turns are made by the statements that
//! the tool sends; docs/db-migrate.md says which of the real tools were tried by hand, and when.

use super::world::World;

/// A tool: how its folder looks, and what it writes.
struct Tool {
    format: &'static str,
    /// The files of three migrations, of which the second destroys and the last is the tool's turn.
    files: fn(number: u32, up: &str, down: &str) -> Vec<(String, String)>,
    /// What the tool remembers, as one line of text for all of its rows.
    rows: &'static str,
    /// That line after two migrations.
    after_two: &'static str,
    /// That line after one.
    after_one: &'static str,
    /// What the tool writes when it has run the third.
    third: &'static str,
    /// The versions.
    versions: [&'static str; 3],
}

const UP: [&str; 3] = [
    "CREATE TABLE notes (id integer PRIMARY KEY, body text, extra text);",
    "ALTER TABLE notes DROP COLUMN extra;",
    "CREATE TABLE tags (id integer PRIMARY KEY);",
];

const DOWN: [&str; 3] =
    ["DROP TABLE notes;", "ALTER TABLE notes ADD COLUMN extra text;", "DROP TABLE tags;"];

fn pair(number: u32, up: &str, down: &str) -> Vec<(String, String)> {
    vec![
        (format!("{number:03}_step.up.sql"), up.to_owned()),
        (format!("{number:03}_step.down.sql"), down.to_owned()),
    ]
}

fn marked(number: u32, prefix: &str, up: &str, down: &str) -> Vec<(String, String)> {
    let text = format!(
        "-- {prefix}p\n{up}\n-- {}\n{down}\n",
        prefix.replace('U', "Dow").replace('u', "dow") + "n"
    );
    vec![(format!("{number:03}_step.sql"), text)]
}

impl Tool {
    /// The tool and Ripcord in turns, there and back.
    fn check(&self) {
        let world = World::new(self.format);
        let [one, two, three] = self.versions;
        for number in [1_u32, 2] {
            self.write(&world, number);
        }
        assert_eq!(world.stands(), format!("{one} pending, {two} pending"));
        world.run(&["up", "--to", one]).expect(0);
        assert_eq!(world.value(self.rows), self.after_one, "{}", self.format);
        world.database.run("INSERT INTO notes VALUES (1, 'a', 'precious'), (2, 'b', NULL)");
        world.run(&["up"]).expect(0);
        assert_eq!(world.value(self.rows), self.after_two, "{}", self.format);
        assert_eq!(world.stands(), format!("{one} applied, {two} applied"));
        world.run(&["status"]).expect(0);

        // The tool runs the third one alone.
        self.write(&world, 3);
        world.database.run(UP[2]);
        world.database.run(self.third);
        let elsewhere =
            format!("{one} applied, {two} applied, {three} applied [applied_elsewhere]");
        assert_eq!(world.stands(), elsewhere);
        let refused = world.run(&["down"]).expect(3);
        assert!(refused.stderr.contains("RC0226"), "{refused:?}");
        let attached = world.run(&["attach"]).expect(0);
        assert!(attached.stdout.contains(&format!("stored: {three}")), "{attached:?}");
        world.run(&["down"]).expect(0);
        assert_eq!(world.value(self.rows), self.after_two, "{}", self.format);
        let undone = format!("{one} applied, {two} applied, {three} undone");
        assert_eq!(world.stands(), undone);
        assert_eq!(world.value("SELECT pg_catalog.to_regclass('tags')::text"), "NULL");

        world.run(&["down", "--to", one]).expect(0);
        assert_eq!(world.value(self.rows), self.after_one, "{}", self.format);
        assert_eq!(world.value("SELECT extra FROM notes WHERE id = 1"), "precious");
        world.run(&["up"]).expect(0);
        world.run(&["down", "--to", "0"]).expect(0);
        let open = format!("{one} undone, {two} undone, {three} undone");
        assert_eq!(world.stands(), open);
        world.run(&["up"]).expect(0);
        assert_eq!(world.stands(), format!("{one} applied, {two} applied, {three} applied"));
        assert_eq!(world.value("SELECT body FROM notes WHERE id = 1"), "a", "rows of users return");

        // Without Ripcord the tool believes the same.
        world.bare(&["detach", "--discard-kept"]).expect(0);
        assert_eq!(world.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'ripcord'"), "0");
        let alone = "applied [applied_elsewhere]";
        assert_eq!(world.stands(), format!("{one} {alone}, {two} {alone}, {three} {alone}"));
    }

    fn write(&self, world: &World, number: u32) {
        let at = usize::try_from(number).unwrap() - 1;
        for (file, text) in (self.files)(number, UP[at], DOWN[at]) {
            world.write(&file, &text);
        }
    }
}

#[test]
fn golang_migrate() {
    Tool {
        format: "golang-migrate",
        files: pair,
        rows: "SELECT string_agg(version || ' ' || dirty, ', ') FROM schema_migrations",
        after_one: "1 false",
        after_two: "2 false",
        third: "BEGIN; TRUNCATE schema_migrations; \
                INSERT INTO schema_migrations (version, dirty) VALUES (3, false); COMMIT",
        versions: ["1", "2", "3"],
    }
    .check();
}

#[test]
fn dbmate() {
    Tool {
        format: "dbmate",
        files: |number, up, down| marked(number, "migrate:u", up, down),
        rows: "SELECT string_agg(version, ', ' ORDER BY version) FROM schema_migrations",
        after_one: "001",
        after_two: "001, 002",
        third: "INSERT INTO schema_migrations (version) VALUES ('003')",
        versions: ["001", "002", "003"],
    }
    .check();
}

#[test]
fn goose() {
    Tool {
        format: "goose",
        files: |number, up, down| marked(number, "+goose U", up, down),
        rows: "SELECT string_agg(version_id || ' ' || is_applied, ', ' ORDER BY id) \
               FROM goose_db_version",
        after_one: "0 true, 1 true",
        after_two: "0 true, 1 true, 2 true",
        third: "INSERT INTO goose_db_version (version_id, is_applied) VALUES (3, true)",
        versions: ["1", "2", "3"],
    }
    .check();
}

#[test]
fn sql_migrate() {
    Tool {
        format: "sql-migrate",
        files: |number, up, down| marked(number, "+migrate U", up, down),
        rows: "SELECT string_agg(id, ', ' ORDER BY id) FROM gorp_migrations",
        after_one: "001_step.sql",
        after_two: "001_step.sql, 002_step.sql",
        third: "INSERT INTO gorp_migrations (id, applied_at) VALUES ('003_step.sql', now())",
        versions: ["001_step.sql", "002_step.sql", "003_step.sql"],
    }
    .check();
}

#[test]
fn diesel() {
    Tool {
        format: "diesel",
        files: |number, up, down| {
            vec![
                (format!("2024-01-0{number}-120000_step/up.sql"), up.to_owned()),
                (format!("2024-01-0{number}-120000_step/down.sql"), down.to_owned()),
            ]
        },
        rows: "SELECT string_agg(version, ', ' ORDER BY version) FROM __diesel_schema_migrations",
        after_one: "20240101120000",
        after_two: "20240101120000, 20240102120000",
        third: "INSERT INTO __diesel_schema_migrations (version) VALUES ('20240103120000')",
        versions: ["20240101120000", "20240102120000", "20240103120000"],
    }
    .check();
}

#[test]
fn sqlx() {
    Tool {
        format: "sqlx",
        files: pair,
        rows: "SELECT string_agg(version || ' ' || description || ' ' || success || ' ' || \
               (checksum = sha384(convert_to(CASE version WHEN 1 THEN \
               'CREATE TABLE notes (id integer PRIMARY KEY, body text, extra text);' ELSE \
               'ALTER TABLE notes DROP COLUMN extra;' END, 'UTF8'))) || ' ' || \
               (execution_time >= 0), ', ' ORDER BY version) FROM _sqlx_migrations",
        after_one: "1 step true true true",
        after_two: "1 step true true true, 2 step true true true",
        third: "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
                execution_time) VALUES (3, 'step', true, sha384(convert_to(\
                'CREATE TABLE tags (id integer PRIMARY KEY);', 'UTF8')), -1)",
        versions: ["1", "2", "3"],
    }
    .check();
}

/// It has no down scripts: the way back is derived. What the tool alone ran cannot be taken back.
#[test]
fn refinery() {
    let world = World::new("refinery");
    world.write("V1__notes.sql", UP[0]);
    world.write("V2__drop_extra.sql", UP[1]);
    world.run(&["up", "--to", "1"]).expect(0);
    world.database.run("INSERT INTO notes VALUES (1, 'a', 'precious')");
    world.run(&["up"]).expect(0);
    let rows = "SELECT string_agg(version || ' ' || name || ' ' || \
                (applied_on ~ '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d+Z$') || ' ' || \
                (checksum ~ '^\\d+$'), ', ' ORDER BY version) FROM refinery_schema_history";
    assert_eq!(world.value(rows), "1 notes true true, 2 drop_extra true true");
    world.run(&["down"]).expect(0);
    assert_eq!(world.value(rows), "1 notes true true");
    assert_eq!(world.value("SELECT extra FROM notes"), "precious");
    world.write("V3__tags.sql", UP[2]);
    world.run(&["up", "--to", "2"]).expect(0);
    world.database.run(UP[2]);
    world
        .database
        .run("INSERT INTO refinery_schema_history VALUES (3, 'tags', '2024-01-01T00:00:00Z', '1')");
    let stands = world.stands();
    assert_eq!(stands, "1 applied, 2 applied, 3 applied [changed] [applied_elsewhere]");
    world.run(&["attach"]).expect(0);
    let refused = world.run(&["down"]).expect(3);
    assert!(refused.stderr.contains("another tool ran it"), "{refused:?}");
}

#[test]
fn flyway() {
    let world = World::new("flyway");
    world.write("V1__Notes_table.sql", UP[0]);
    world.write("V2.0__drop_extra.sql", UP[1]);
    world.write("R__views.sql", "CREATE OR REPLACE VIEW bodies AS SELECT body FROM notes;");
    world.write(
        "R__data.sql",
        "INSERT INTO notes (id, body) VALUES (100, 'seed') ON CONFLICT (id) \
                                DO UPDATE SET body = excluded.body;",
    );
    assert_eq!(world.stands(), "1 pending, 2 pending, data pending, views pending");
    world.run(&["up", "--to", "1"]).expect(0);
    world.database.run("INSERT INTO notes VALUES (1, 'a', 'precious')");
    world.run(&["up"]).expect(0);
    let rows = "SELECT string_agg(concat_ws(' ', installed_rank, coalesce(version, '-'), \
                description, type, script, success), ', ' ORDER BY installed_rank) \
                FROM flyway_schema_history";
    let two =
        "1 1 Notes table SQL V1__Notes_table.sql t, 2 2.0 drop extra SQL V2.0__drop_extra.sql t";
    let all = format!("{two}, 3 - data SQL R__data.sql t, 4 - views SQL R__views.sql t");
    assert_eq!(world.value(rows), all);

    // A repeatable one that changed runs again, and going back brings the former one.
    world.write("R__data.sql", "UPDATE notes SET body = 'other' WHERE id = 100;");
    assert_eq!(world.stands(), "1 applied, 2 applied, data applied [changed], views applied");
    world.run(&["up"]).expect(0);
    assert_eq!(world.value("SELECT body FROM notes WHERE id = 100"), "other");
    world.run(&["down"]).expect(0);
    assert_eq!(world.value("SELECT body FROM notes WHERE id = 100"), "seed");
    assert_eq!(world.value(rows), all);

    world.run(&["down", "--to", "1"]).expect(0);
    assert_eq!(world.value(rows), "1 1 Notes table SQL V1__Notes_table.sql t");
    assert_eq!(world.value("SELECT count(*) FROM notes WHERE id = 100"), "0");
    assert_eq!(world.value("SELECT extra FROM notes WHERE id = 1"), "precious");
}

/// What Flyway refuses because of its checksums is refused.
#[test]
fn flyway_files_that_were_edited() {
    let world = World::new("flyway");
    world.write("V1__notes.sql", UP[0]);
    world.run(&["up"]).expect(0);
    world.write("V1__notes.sql", &format!("{} -- edited", UP[0]));
    world.write("V2__tags.sql", UP[2]);
    let refused = world.run(&["up"]).expect(3);
    assert!(refused.stderr.contains("RC0207"), "{refused:?}");
    assert_eq!(world.stands(), "1 applied [changed], 2 pending");
    world.run(&["up", "--allow-changed"]).expect(0);
    world.write("V1_5__late.sql", "CREATE TABLE late (id integer);");
    let refused = world.run(&["up", "--allow-changed"]).expect(3);
    assert!(refused.stderr.contains("RC0208"), "{refused:?}");
    world.run(&["up", "--allow-changed", "--out-of-order"]).expect(0);
}

/// golang-migrate's mark of a failed migration is explained, not guessed at.
#[test]
fn golang_migrate_that_failed() {
    let world = World::new("golang-migrate");
    for (file, text) in pair(1, UP[0], DOWN[0]) {
        world.write(&file, &text);
    }
    world.run(&["up"]).expect(0);
    world.database.run("UPDATE schema_migrations SET dirty = true");
    assert_eq!(world.stands(), "1 failed");
    for verb in ["up", "attach"] {
        let refused = world.run(&[verb]).expect(3);
        assert!(refused.stderr.contains("tool"), "{refused:?}");
    }
}

/// No tool but Ripcord: it remembers by itself, and `attach --at` says where it begins.
#[test]
fn plain() {
    let world = World::new("plain");
    for number in [1_u32, 2, 3] {
        let at = usize::try_from(number).unwrap() - 1;
        for (file, text) in pair(number, UP[at], DOWN[at]) {
            world.write(&file, &text);
        }
    }
    world.database.run(UP[0]);
    world.run(&["attach", "--at", "1"]).expect(0);
    assert_eq!(world.stands(), "1 applied, 2 pending, 3 pending");
    world.run(&["up"]).expect(0);
    let files = ["001_step.up.sql", "002_step.up.sql", "003_step.up.sql"];
    assert_eq!(world.schema(), world.twin(&files));
    world.run(&["down", "--steps", "2"]).expect(0);
    assert_eq!(world.schema(), world.twin(&files[..1]));
    assert_eq!(world.stands(), "1 applied, 2 undone, 3 undone");
}
