//! Partitions and inheritance, foreign data, privileges, and what belongs to the whole database.

use super::cluster::database;
use super::journey::{check_left, read};
use ripcord_databases::postgres::{Kind, Name, inverse};

#[test]
fn partitions() {
    check_left(
        "CREATE TABLE events (id int NOT NULL, at date NOT NULL, v text DEFAULT 'v', CONSTRAINT above CHECK (id > 0)) PARTITION BY RANGE (at);
         CREATE TABLE e1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
         CREATE TABLE e2 PARTITION OF events (CONSTRAINT own CHECK (v <> '')) FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY HASH (id);
         CREATE TABLE e2a PARTITION OF e2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE rest PARTITION OF events DEFAULT; ALTER TABLE e1 ALTER v DROP DEFAULT;
         ALTER TABLE events ADD PRIMARY KEY (id, at); CREATE INDEX by_v ON events (v); CREATE TABLE other (id int, at date, FOREIGN KEY (id, at) REFERENCES events);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
         CREATE TRIGGER each BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE e1 DISABLE TRIGGER each;
         CREATE TABLE gone (k text, CONSTRAINT odd CHECK (k <> 'odd')) PARTITION BY LIST (k); CREATE TABLE gone_a PARTITION OF gone FOR VALUES IN ('a', NULL);
         CREATE UNIQUE INDEX gone_k ON gone (k)",
        "ALTER TABLE other DROP CONSTRAINT other_id_at_fkey; DROP TABLE e1; ALTER TABLE events DETACH PARTITION rest; ALTER TABLE events ADD w int; ALTER TABLE events ALTER v TYPE varchar(9);
         DROP INDEX by_v; DROP TABLE gone; CREATE TABLE e3 PARTITION OF events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
         ALTER TABLE rest DROP COLUMN v",
        &[
            "column rest.v: it comes back without its values",
            "table e1: it comes back without its rows",
            "table gone_a: it comes back without its rows",
        ],
    );
}

#[test]
fn inheritance() {
    check_left(
        "CREATE TABLE top (id int NOT NULL, v text DEFAULT 'top', CHECK (id > 0)); CREATE TABLE side (s int);
         CREATE TABLE child (own int, v text DEFAULT 'child') INHERITS (top, side); CREATE TABLE grand () INHERITS (child);
         CREATE TABLE loose (id int NOT NULL, v text, CHECK (id > 0)); ALTER TABLE grand ALTER v DROP DEFAULT",
        "ALTER TABLE top ADD more int; ALTER TABLE top ALTER v TYPE varchar(30); ALTER TABLE top ALTER id DROP NOT NULL; DROP TABLE grand",
        &["table grand: it comes back without its rows"],
    );
}

#[test]
fn what_inheritance_remembers() {
    let database = database();
    database.run("CREATE TABLE top (id int); CREATE TABLE child () INHERITS (top)");
    let before = read(&database);
    database.run("ALTER TABLE child NO INHERIT top");
    let way = inverse(&before, &read(&database));
    let left: Vec<String> = way.left.iter().map(|left| left.what.clone()).collect();
    assert_eq!(left, ["column child.id"], "a column that became its own stays so");
    database.run(&way.script());
    assert_eq!(
        read(&database).get(Kind::Table, "public.child").unwrap().facts["inherits"][0],
        "public.top"
    );
}

#[test]
fn foreign_data() {
    check_left(
        "CREATE EXTENSION postgres_fdw; CREATE FOREIGN DATA WRAPPER hollow OPTIONS (debug 'true'); CREATE FOREIGN DATA WRAPPER spare;
         CREATE SERVER far TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h', dbname 'd'); CREATE SERVER near FOREIGN DATA WRAPPER hollow;
         CREATE FOREIGN TABLE away (id int OPTIONS (column_name 'ID') NOT NULL, v text) SERVER far OPTIONS (table_name 't''t');
         CREATE FOREIGN TABLE off (id int) SERVER far; GRANT USAGE ON FOREIGN SERVER far TO ann; COMMENT ON SERVER far IS 'far'",
        "ALTER SERVER far VERSION '2' OPTIONS (DROP host, ADD port '5', SET dbname 'e'); ALTER FOREIGN TABLE away OPTIONS (ADD schema_name 's');
         ALTER FOREIGN TABLE away ALTER id OPTIONS (SET column_name 'id'), ALTER v TYPE varchar(5); DROP FOREIGN TABLE off; DROP SERVER near;
         ALTER FOREIGN DATA WRAPPER hollow OPTIONS (DROP debug); DROP FOREIGN DATA WRAPPER spare; REVOKE USAGE ON FOREIGN SERVER far FROM ann;
         CREATE FOREIGN TABLE new (a int) SERVER far",
        &[],
    );
}

#[test]
fn privileges_and_owners() {
    check_left(
        "CREATE SEQUENCE early; CREATE TABLE t (a int, b int); CREATE TABLE u (a int); CREATE SCHEMA box AUTHORIZATION ann; CREATE SEQUENCE s; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'; CREATE TABLE mine (a int); ALTER TABLE mine OWNER TO ann;
         GRANT SELECT, INSERT ON t TO ann WITH GRANT OPTION; SET ROLE ann; GRANT SELECT ON t TO bob; RESET ROLE; GRANT UPDATE (b) ON t TO bob; GRANT REFERENCES (a) ON t TO PUBLIC;
         GRANT ALL ON u TO \"Weird Role\"; REVOKE ALL ON SEQUENCE s FROM postgres; GRANT USAGE ON SCHEMA box TO bob; REVOKE ALL ON FUNCTION f() FROM PUBLIC;
         ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO bob; ALTER DEFAULT PRIVILEGES FOR ROLE ann REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
         ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO ann",
        "REVOKE ALL ON t FROM ann CASCADE; REVOKE UPDATE (b) ON t FROM bob; DROP TABLE u; DROP SEQUENCE early; GRANT SELECT ON SEQUENCE s TO bob; ALTER TABLE mine OWNER TO bob;
         ALTER SCHEMA box OWNER TO bob; GRANT EXECUTE ON FUNCTION f() TO ann; REVOKE EXECUTE ON PROCEDURE p() FROM PUBLIC; GRANT ALL ON SCHEMA public TO bob;
         ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM bob; ALTER DEFAULT PRIVILEGES FOR ROLE ann GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
         ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO bob; CREATE TABLE fresh (a int); CREATE SEQUENCE fresh_s",
        &["sequence early: it comes back at its start", "table u: it comes back without its rows"],
    );
}

#[test]
fn the_whole_database() {
    check_left(
        "CREATE SCHEMA one; CREATE SCHEMA two; COMMENT ON SCHEMA one IS 'one'; CREATE TABLE one.t (id int PRIMARY KEY, d text, x int, y int);
         CREATE EXTENSION hstore SCHEMA two; CREATE TABLE one.h (h two.hstore); CREATE EXTENSION pg_trgm SCHEMA one VERSION '1.5';
         CREATE STATISTICS one.st (ndistinct, dependencies) ON x, y FROM one.t; ALTER STATISTICS one.st SET STATISTICS 50; CREATE STATISTICS one.ex ON (x + y) FROM one.t;
         CREATE PUBLICATION few FOR TABLE one.t (id, d) WHERE (id > 5) WITH (publish = 'insert, delete'); CREATE PUBLICATION everything FOR ALL TABLES;
         CREATE PUBLICATION whole FOR TABLES IN SCHEMA two; CREATE CAST (one.t AS text) WITH INOUT AS ASSIGNMENT;
         CREATE TEXT SEARCH DICTIONARY one.dict (TEMPLATE = simple, STOPWORDS = english); CREATE TEXT SEARCH CONFIGURATION one.conf (COPY = simple);
         ALTER TEXT SEARCH CONFIGURATION one.conf ALTER MAPPING FOR asciiword, word WITH one.dict, simple; COMMENT ON TEXT SEARCH DICTIONARY one.dict IS 'd';
         CREATE FUNCTION one.cmp(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $2 - $1';
         CREATE OPERATOR FAMILY one.fam USING btree; CREATE OPERATOR CLASS one.back FOR TYPE int USING btree FAMILY one.fam AS OPERATOR 1 >, OPERATOR 3 =, OPERATOR 5 <, FUNCTION 1 one.cmp(int, int);
         ALTER OPERATOR FAMILY one.fam USING btree ADD OPERATOR 1 > (int, bigint); CREATE INDEX backward ON one.t (x one.back);
         CREATE CONVERSION one.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8; CREATE TRUSTED LANGUAGE mine HANDLER plpgsql_call_handler;
         CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler; CREATE TABLE one.odd (a int) USING heap2",
        "ALTER EXTENSION pg_trgm SET SCHEMA two; DROP STATISTICS one.ex; ALTER STATISTICS one.st SET STATISTICS -1;
         ALTER PUBLICATION few SET TABLE one.h; ALTER PUBLICATION few SET (publish = 'update', publish_via_partition_root); DROP PUBLICATION everything; ALTER PUBLICATION whole ADD TABLES IN SCHEMA one;
         DROP CAST (one.t AS text); ALTER TEXT SEARCH CONFIGURATION one.conf ALTER MAPPING FOR word WITH simple; ALTER TEXT SEARCH CONFIGURATION one.conf DROP MAPPING FOR int;
         ALTER OPERATOR FAMILY one.fam USING btree DROP OPERATOR 1 (int, bigint); DROP CONVERSION one.conv; DROP LANGUAGE mine; DROP TABLE one.odd; DROP ACCESS METHOD heap2;
         CREATE SCHEMA three; CREATE VIEW three.v AS SELECT d FROM one.t; CREATE EXTENSION citext SCHEMA three; CREATE TEXT SEARCH DICTIONARY three.d (TEMPLATE = simple)",
        &["table one.odd: it comes back without its rows"],
    );
}

#[test]
fn extensions_go_forward_only() {
    let database = database();
    database.run("CREATE EXTENSION pg_trgm VERSION '1.5'");
    let before = read(&database);
    database.run("ALTER EXTENSION pg_trgm UPDATE TO '1.6'");
    let after = read(&database);
    let way = inverse(&before, &after);
    assert!(way.statements.is_empty() && way.left[0].what == "extension pg_trgm", "{way:?}");
    database.run("DROP EXTENSION pg_trgm; CREATE EXTENSION pg_trgm VERSION '1.5'");
    database.run(&inverse(&after, &read(&database)).script());
    assert_eq!(read(&database), after);
}

#[test]
fn names_that_need_care() {
    // 63 bytes, reserved words, quotes, dots, blanks, line breaks, letters of other scripts.
    check_left(
        "CREATE SCHEMA \"Se.lect\"; CREATE TYPE \"Se.lect\".\"type \"\"x\" AS ENUM ('a''b', 'ünï', E'back\\\\slash');
         CREATE TABLE \"Se.lect\".\"order\" (\"select\" int PRIMARY KEY, \"a\"\"b.c\" text DEFAULT E'x\\ny', \"user\" \"Se.lect\".\"type \"\"x\", \"таблица-столбец-с-именем-63-байт\" int);
         CREATE INDEX \"new\nline\" ON \"Se.lect\".\"order\" (\"a\"\"b.c\"); CREATE VIEW \"Se.lect\".\"from\" AS SELECT \"user\", \"a\"\"b.c\" AS \"as\" FROM \"Se.lect\".\"order\";
         CREATE TABLE aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (id serial, \"end\" text CHECK (\"end\" <> '--;')); CREATE TABLE \"日本語\" (\"列\" int);
         COMMENT ON TABLE \"日本語\" IS '; DROP TABLE x; --'; GRANT SELECT ON \"日本語\" TO \"Weird Role\"; CREATE FUNCTION \"fn.x\"(\"Se.lect\".\"type \"\"x\") RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP SCHEMA \"Se.lect\" CASCADE; ALTER TABLE aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa DROP CONSTRAINT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_end_check;
         DROP TABLE \"日本語\"",
        &["table \"Se.lect\".\"order\": it comes back without its rows", "table \"日本語\": it comes back without its rows"],
    );
}

#[test]
fn what_cannot_be_made_is_named() {
    let database = database();
    database.run("CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw; CREATE USER MAPPING FOR ann SERVER far OPTIONS (user 'u', password 'swordfish');
                  CREATE TABLE p (a int, b int) PARTITION BY RANGE (a); CREATE TABLE g (a int, b int)");
    let before = read(&database);
    let text = serde_json::to_string(&before).unwrap();
    assert!(!text.contains("swordfish"), "no password is read");
    assert!(before.unseen.iter().any(|what| what.contains("user mappings")), "{:?}", before.unseen);
    database.run("DROP USER MAPPING FOR ann SERVER far; DROP TABLE p; CREATE TABLE p (a int, b int) PARTITION BY RANGE (b);
                  ALTER TABLE g DROP b; ALTER TABLE g ADD b int GENERATED ALWAYS AS (a) STORED");
    let way = inverse(&read(&database), &before);
    let left: Vec<&str> = way.left.iter().map(|left| left.what.as_str()).collect();
    assert_eq!(left, ["column g.b", "table p"]);
    let back = inverse(&before, &read(&database));
    assert!(
        back.left.iter().any(|left| left.what == "user mapping FOR ann SERVER far"),
        "{:?}",
        back.left
    );
    let mapping = Name { kind: Kind::UserMapping, name: "FOR ann SERVER far".into() };
    assert_eq!(before.objects[&mapping].facts["option_names"][0], "password");
}
