//! What each kind of statement does on the five axes.

use crate::review::{detected, folder, reviewed};
use expect_test::{Expect, expect};
use ripcord_core::schema::{Inverse, Mode, Phase};
use ripcord_databases::formats::Format;
use ripcord_databases::review::{Choice, Holds, ReviewedStatement, review};

/// What exists before the statement that is looked at.
const BEFORE: &str = "
    CREATE TABLE parents (id bigint PRIMARY KEY);
    CREATE TABLE orders (
        id bigint PRIMARY KEY, note varchar(20), amount numeric(10,2), parent bigint,
        made timestamp, state text NOT NULL
    );
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE VIEW seen AS SELECT * FROM orders;";

/// One line for each thing that the statements do: what | blocks | breaks | destroys | inverse |
/// depends | phase | mode, kept.
fn check(script: &str, expected: &Expect) {
    let review = reviewed(Format::Plain, &[BEFORE, script]);
    let lines: Vec<String> = review.migrations[1].up.statements.iter().map(line).collect();
    expected.assert_eq(&lines.join("\n"));
}

fn line(statement: &ReviewedStatement) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let word = |mode: Mode| format!("{mode:?}").to_lowercase();
    let blocks = statement.blocks.as_ref();
    let inverse = match statement.inverse {
        Inverse::Catalogue => "definition",
        Inverse::Kept => "kept",
        Inverse::Opaque => "author",
        Inverse::None => "none",
    };
    let phase = match statement.phase {
        Phase::Expand => "expand",
        Phase::Data => "data",
        Phase::Contract => "contract",
    };
    [
        statement.what.clone(),
        or_dash(blocks.map(|b| format!("{} {:?} {}", b.lock, b.holds, b.on).to_lowercase())),
        or_dash(statement.breaks_old_code.clone()),
        or_dash(Some(statement.destroys.join(", ")).filter(|text| !text.is_empty())),
        inverse.to_owned(),
        or_dash(statement.depends_on_data.clone()),
        phase.to_owned(),
        or_dash(statement.mode.map(word)),
        or_dash(statement.kept.as_ref().map(|kept| word(kept.mode))),
    ]
    .join(" | ")
}

#[test]
fn dropping() {
    check(
        "ALTER TABLE orders DROP COLUMN note;
         DROP TABLE orders;
         DROP SCHEMA old CASCADE;
         DROP TABLE parents CASCADE;
         DROP INDEX orders_by_note;
         DROP INDEX CONCURRENTLY orders_by_note;
         ALTER TABLE orders DROP CONSTRAINT k;
         DROP VIEW seen;
         DROP FUNCTION f(int);
         DROP TRIGGER t ON orders;
         DROP POLICY p ON orders;
         DROP MATERIALIZED VIEW m;
         DROP TYPE mood;
         DROP SEQUENCE s;
         DROP EXTENSION hstore CASCADE;
         DROP OWNED BY somebody;",
        &expect![[r"
            drop column orders.note | accessexclusive moment orders | column orders.note is gone | column orders.note | kept | - | contract | defer | hide
            drop table orders | accessexclusive moment orders | table orders is gone | table orders | kept | - | contract | defer | hide
            drop schema old | accessexclusive moment all of old | all of schema old is gone | schema old with all that is in it | kept | - | contract | defer | hide
            drop table parents | accessexclusive moment parents | table parents is gone | table parents | kept | - | contract | defer | hide
            drop index orders_by_note | accessexclusive moment the table of orders_by_note | - | - | definition | - | expand | drop | drop
            drop index orders_by_note | shareupdateexclusive moment the table of orders_by_note | - | - | definition | - | expand | drop | drop
            drop constraint k of orders | accessexclusive moment orders | - | - | definition | - | expand | drop | drop
            drop view seen | accessexclusive moment seen | view seen is gone | - | definition | - | contract | defer | drop
            drop function f | - | function f is gone | - | definition | - | contract | defer | drop
            drop trigger t | accessexclusive moment orders | - | - | definition | - | expand | drop | drop
            drop policy p | accessexclusive moment orders | - | - | definition | - | expand | drop | drop
            drop materialized view m | accessexclusive moment m | materialized view m is gone | materialized view m | kept | - | contract | defer | hide
            drop type mood | - | type mood is gone | - | definition | fails when something uses mood | contract | defer | hide
            drop sequence s | accessexclusive moment s | sequence s is gone | the position of sequence s | kept | - | contract | defer | drop
            drop extension hstore | - | what extension hstore brought is gone | columns and objects that use extension hstore | kept | - | contract | defer | drop
            drop owned by somebody | - | DROP OWNED BY somebody removes whatever was owned | whatever DROP OWNED BY somebody removes | author | - | contract | defer | -"]],
    );
}

#[test]
fn rows() {
    check(
        "TRUNCATE orders RESTART IDENTITY CASCADE;
         DELETE FROM orders WHERE id = 1;
         UPDATE orders SET note = '';
         INSERT INTO orders VALUES (1);
         MERGE INTO orders USING parents ON true WHEN MATCHED THEN DELETE;
         WITH gone AS (DELETE FROM parents RETURNING *) INSERT INTO orders SELECT * FROM gone;
         SELECT count(*) FROM orders;
         SELECT fill_orders();
         COPY orders FROM '/x';",
        &expect![[r"
            truncate orders | accessexclusive moment orders | all rows of orders are gone | all rows of orders and of tables that refer to it | kept | - | contract | defer | drop
            delete from orders | rowexclusive rows orders | - | rows of orders | kept | fails when rows of orders are referred to | data | drop | drop
            update orders | rowexclusive rows orders | - | values of orders | kept | fails when a constraint of orders does not hold | data | drop | drop
            write rows of orders | - | - | - | kept | fails when a constraint of orders does not hold | data | - | -
            merge into orders | rowexclusive rows orders | - | rows or values of orders | kept | fails when a constraint of orders does not hold | data | drop | drop
            write rows of orders | - | - | - | kept | fails when a constraint of orders does not hold | data | - | -
            delete from parents | rowexclusive rows parents | - | rows of parents | kept | fails when rows of parents are referred to | data | drop | drop
            query | - | - | - | definition | - | expand | - | -
            the function fill_orders | unknown unknown what it touches | the function fill_orders may do anything | perhaps whatever it touches | author | may fail for any reason | contract | defer | -
            write rows of orders | - | - | - | kept | fails when a constraint of orders does not hold | data | - | -"]],
    );
}

#[test]
fn destroyed_on_purpose() {
    check(
        "-- ripcord: destroy privacy law
         ALTER TABLE orders DROP COLUMN note;
         -- ripcord: destroy privacy law
         DELETE FROM orders;",
        &expect![[r"
            drop column orders.note | accessexclusive moment orders | column orders.note is gone | column orders.note | none | - | contract | destroy | -
            delete from orders | rowexclusive rows orders | - | rows of orders | none | fails when rows of orders are referred to | data | destroy | -"]],
    );
}

#[test]
fn columns() {
    check(
        "ALTER TABLE orders ADD COLUMN a int;
         ALTER TABLE orders ADD COLUMN b int NOT NULL DEFAULT 0;
         ALTER TABLE orders ADD COLUMN c int NOT NULL;
         ALTER TABLE orders ADD COLUMN d uuid DEFAULT gen_random_uuid();
         ALTER TABLE orders ADD COLUMN e timestamptz NOT NULL DEFAULT now();
         ALTER TABLE orders ADD COLUMN f int GENERATED ALWAYS AS (1) STORED;
         ALTER TABLE orders ADD COLUMN g bigint REFERENCES parents (id);
         ALTER TABLE orders ADD COLUMN h int UNIQUE;
         ALTER TABLE orders ADD COLUMN i bigserial;
         ALTER TABLE orders RENAME COLUMN note TO remark;
         ALTER TABLE orders ALTER COLUMN state DROP NOT NULL;
         ALTER TABLE orders ALTER COLUMN parent SET NOT NULL;
         ALTER TABLE orders ALTER COLUMN state SET DEFAULT 'new';
         ALTER TABLE orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;",
        &expect![[r"
            add column orders.a | accessexclusive moment orders | - | - | definition | - | expand | - | -
            add column orders.b | accessexclusive moment orders | - | - | definition | - | expand | - | -
            add column orders.c | accessexclusive moment orders | column orders.c demands a value and has no default | - | definition | fails when orders has rows | contract | defer | -
            add column orders.d | accessexclusive rewrite orders | - | - | definition | - | expand | - | -
            add column orders.e | accessexclusive moment orders | - | - | definition | - | expand | - | -
            add column orders.f | accessexclusive rewrite orders | - | - | definition | - | expand | - | -
            add column orders.g | accessexclusive moment orders | - | - | definition | - | expand | - | -
            add column orders.h | accessexclusive scan orders | - | - | definition | - | expand | - | -
            add column orders.i | accessexclusive rewrite orders | - | - | definition | - | expand | - | -
            rename column orders.note to remark | accessexclusive moment orders | column orders.note is called remark | - | definition | - | contract | defer | -
            drop not null orders.state | accessexclusive moment orders | - | - | definition | - | expand | - | -
            set not null orders.parent | accessexclusive scan orders | column orders.parent demands a value | - | definition | fails when orders.parent is NULL anywhere | contract | defer | -
            set default orders.state | accessexclusive moment orders | - | - | definition | - | expand | - | -
            identity of orders.id | accessexclusive moment orders | values written to orders.id may be refused | - | definition | - | contract | defer | -"]],
    );
}

#[test]
fn types() {
    check(
        "ALTER TABLE orders ALTER note TYPE varchar(40);
         ALTER TABLE orders ALTER note TYPE text;
         ALTER TABLE orders ALTER note TYPE varchar(10);
         ALTER TABLE orders ALTER amount TYPE numeric(12,2);
         ALTER TABLE orders ALTER amount TYPE numeric(12,0);
         ALTER TABLE orders ALTER parent TYPE int;
         ALTER TABLE orders ALTER parent TYPE bigint;
         ALTER TABLE orders ALTER made TYPE timestamptz;
         ALTER TABLE elsewhere ALTER x TYPE int;
         ALTER TYPE mood ADD VALUE 'fair';
         ALTER TYPE mood RENAME VALUE 'bad' TO 'poor';
         ALTER TYPE pair DROP ATTRIBUTE a;
         ALTER DOMAIN d ADD CONSTRAINT k CHECK (value > 0);",
        &expect![[r"
            type of orders.note to varchar(40) | accessexclusive moment orders | - | - | definition | - | expand | - | -
            type of orders.note to text | accessexclusive moment orders | - | - | definition | - | expand | - | -
            type of orders.note to varchar(10) | accessexclusive rewrite orders | column orders.note has another type: varchar(10) | - | definition | fails when a value of orders.note does not fit varchar(10) | contract | defer | -
            type of orders.amount to numeric(12,2) | accessexclusive moment orders | - | - | definition | - | expand | - | -
            type of orders.amount to numeric(12,0) | accessexclusive rewrite orders | column orders.amount has another type: numeric(12,0) | what does not fit of orders.amount | kept | fails when a value of orders.amount does not fit numeric(12,0) | contract | defer | drop
            type of orders.parent to int | accessexclusive rewrite orders | column orders.parent has another type: int | - | definition | fails when a value of orders.parent does not fit int | contract | defer | -
            type of orders.parent to bigint | accessexclusive rewrite orders | column orders.parent has another type: bigint | - | definition | - | contract | defer | -
            type of orders.made to timestamptz | accessexclusive rewrite orders | column orders.made has another type: timestamptz | - | definition | - | contract | defer | -
            type of elsewhere.x to int | accessexclusive rewrite elsewhere | column elsewhere.x has another type: int | perhaps what does not fit of elsewhere.x | kept | may fail when a value does not fit int | contract | defer | drop
            add 'fair' to mood | - | - | - | definition | - | expand | - | -
            rename 'bad' of mood to 'poor' | - | mood no longer knows 'bad' | - | definition | - | contract | defer | -
            alter type pair | - | pair loses a | a of every pair | kept | - | contract | defer | drop
            alter domain d | - | values of d must meet more | - | definition | fails when a value of d does not meet it | contract | defer | -"]],
    );
}

#[test]
fn constraints_and_indexes() {
    check(
        "ALTER TABLE orders ADD CONSTRAINT a CHECK (amount > 0);
         ALTER TABLE orders ADD CONSTRAINT b CHECK (amount > 0) NOT VALID;
         ALTER TABLE orders VALIDATE CONSTRAINT b;
         ALTER TABLE orders ADD CONSTRAINT c FOREIGN KEY (parent) REFERENCES parents (id);
         ALTER TABLE orders ADD CONSTRAINT d FOREIGN KEY (parent) REFERENCES parents (id) NOT VALID;
         ALTER TABLE orders ADD CONSTRAINT e UNIQUE (note);
         ALTER TABLE orders ADD CONSTRAINT f UNIQUE USING INDEX i;
         ALTER TABLE orders ADD EXCLUDE USING gist (note WITH =);
         CREATE INDEX i ON orders (note);
         CREATE UNIQUE INDEX CONCURRENTLY j ON orders (note);
         REINDEX TABLE orders;
         REINDEX TABLE CONCURRENTLY orders;",
        &expect![[r"
            add check a to orders | accessexclusive scan orders | rows written to orders must meet a CHECK | - | definition | fails when a row of orders does not meet it | contract | defer | -
            add check b to orders | accessexclusive moment orders | rows written to orders must meet a CHECK | - | definition | - | contract | defer | -
            validate b of orders | shareupdateexclusive scan orders | - | - | definition | fails when a row of orders does not meet b | expand | - | -
            add foreign key c to orders | sharerowexclusive scan orders | rows written to orders must refer to a row of parents | - | definition | fails when a row of orders refers to no row of parents | contract | defer | -
            add foreign key d to orders | sharerowexclusive moment orders | rows written to orders must refer to a row of parents | - | definition | - | contract | defer | -
            add unique e to orders | accessexclusive scan orders | rows of orders must be unique | - | definition | fails when rows of orders are not unique | contract | defer | -
            add unique f to orders | accessexclusive moment orders | - | - | definition | - | expand | - | -
            add exclusion to orders | accessexclusive scan orders | rows of orders must not collide | - | definition | fails when rows of orders collide | contract | defer | -
            create index i on orders | share scan orders | - | - | definition | - | expand | - | -
            create unique index j on orders | shareupdateexclusive scan orders | rows of orders must be unique | - | definition | fails when rows of orders are not unique, and leaves an invalid index | contract | defer | -
            reindex TABLE orders | share scan table orders | - | - | definition | - | expand | - | -
            reindex TABLE CONCURRENTLY orders | shareupdateexclusive scan table concurrently orders | - | - | definition | - | expand | - | -"]],
    );
}

#[test]
fn a_proven_column_is_not_read_again() {
    let review = reviewed(
        Format::Plain,
        &[
            BEFORE,
            "ALTER TABLE orders ADD CONSTRAINT k CHECK (parent IS NOT NULL) NOT VALID",
            "ALTER TABLE orders VALIDATE CONSTRAINT k",
            "ALTER TABLE orders ALTER parent SET NOT NULL",
        ],
    );
    let last = &review.migrations[3].up.statements[0];
    assert_eq!(
        line(last),
        "set not null orders.parent | accessexclusive moment orders | - | - | definition | - | \
         expand | - | -"
    );
}

#[test]
fn tables_and_other_objects() {
    check(
        "ALTER TABLE orders RENAME TO sales;
         ALTER TABLE orders SET SCHEMA old;
         ALTER VIEW seen RENAME TO looked_at;
         ALTER INDEX i RENAME TO j;
         ALTER TABLE orders SET LOGGED;
         ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
         ALTER TABLE orders ATTACH PARTITION p FOR VALUES IN (1);
         ALTER TABLE orders DETACH PARTITION p;
         ALTER TABLE orders DETACH PARTITION p CONCURRENTLY;
         ALTER TABLE orders SET (fillfactor = 70);
         ALTER TABLE orders OWNER TO somebody;
         CREATE TRIGGER t AFTER INSERT ON orders EXECUTE FUNCTION f();
         CREATE POLICY p ON orders USING (true);
         CREATE OR REPLACE VIEW seen AS SELECT 1;
         CREATE TABLE children (parent bigint REFERENCES parents (id));
         REFRESH MATERIALIZED VIEW m;
         VACUUM FULL orders;
         LOCK TABLE orders IN SHARE MODE;
         REVOKE SELECT ON orders FROM app;
         COMMENT ON TABLE orders IS 'x';
         DO $$ BEGIN END $$;
         \\i other.sql",
        &expect![[r"
            rename table orders to sales | accessexclusive moment orders | table orders is called sales | - | definition | - | contract | defer | -
            move table orders to old | accessexclusive moment orders | table orders moves to schema old | - | definition | - | contract | defer | -
            rename view seen to looked_at | accessexclusive moment seen | view seen is called looked_at | - | definition | - | contract | defer | -
            rename index i to j | shareupdateexclusive moment i | - | - | definition | - | expand | - | -
            SET LOGGED of orders | accessexclusive rewrite orders | - | - | definition | - | expand | - | -
            row security of orders | accessexclusive moment orders | rows of orders are hidden from whoever no policy allows | - | definition | - | contract | defer | -
            attach p to orders | accessexclusive scan p | - | - | definition | fails when a row of p does not belong there | expand | - | -
            detach p from orders | accessexclusive moment orders | rows of p are no longer in orders | - | definition | - | contract | defer | -
            detach p from orders | shareupdateexclusive moment orders | rows of p are no longer in orders | - | definition | - | contract | defer | -
            SET (fillfactor = 70) of orders | shareupdateexclusive moment orders | - | - | definition | - | expand | - | -
            OWNER TO somebody of orders | accessexclusive moment orders | - | - | definition | - | expand | - | -
            create trigger t on orders | sharerowexclusive moment orders | trigger t acts on what is written to orders, and may refuse it | - | definition | - | contract | defer | -
            policy p on orders | accessexclusive moment orders | policy p changes which rows of orders are seen and written | - | definition | - | contract | defer | -
            create view seen | accessexclusive moment seen | - | - | definition | - | expand | - | -
            create table children | sharerowexclusive moment parents | - | - | definition | - | expand | - | -
            refresh m | accessexclusive rewrite m | - | - | definition | - | expand | - | -
            vacuum full orders | accessexclusive rewrite orders | - | - | definition | - | expand | - | -
            lock orders in share mode | share moment orders | - | - | definition | - | expand | - | -
            revoke | - | a privilege that it needs may be gone | - | definition | - | contract | defer | -
            comment | - | - | - | definition | - | expand | - | -
            a DO block | unknown unknown what it touches | a DO block may do anything | perhaps whatever it touches | author | may fail for any reason | contract | defer | -
            psql command | unknown unknown what it touches | what psql does here is not seen | perhaps whatever it touches | author | may fail for any reason | contract | defer | -"]],
    );
}

#[test]
fn what_the_script_creates_is_in_nobodys_way() {
    check(
        "CREATE TABLE fresh (id bigint PRIMARY KEY, old int);
         CREATE INDEX ON fresh (old);
         ALTER TABLE fresh DROP COLUMN old;
         ALTER TABLE fresh ADD COLUMN x int NOT NULL;
         ALTER TABLE fresh ADD FOREIGN KEY (x) REFERENCES parents (id);
         INSERT INTO fresh VALUES (1);
         ALTER TABLE fresh ADD COLUMN y int NOT NULL;
         DROP TABLE fresh;",
        &expect![[r"
            create table fresh | - | - | - | definition | - | expand | - | -
            create index on fresh | - | - | - | definition | - | expand | - | -
            drop column fresh.old | - | - | - | definition | - | expand | - | -
            add column fresh.x | - | - | - | definition | - | expand | - | -
            add foreign key to fresh | sharerowexclusive moment parents | - | - | definition | - | expand | - | -
            write rows of fresh | - | - | - | kept | fails when a constraint of fresh does not hold | data | - | -
            add column fresh.y | - | - | - | definition | fails when fresh has rows | expand | - | -
            drop table fresh | - | - | - | definition | - | expand | - | -"]],
    );
}

#[test]
fn a_proof_must_hold_for_all_rows_and_still_be_there() {
    let check = |scripts: &[&str], expected: Holds| {
        let last = ["ALTER TABLE orders ALTER parent SET NOT NULL"];
        let review = reviewed(Format::Plain, &[&[BEFORE], scripts, &last].concat());
        let migration = review.migrations.last().unwrap();
        let block = migration.up.statements[0].blocks.as_ref().unwrap();
        assert_eq!(block.holds, expected, "{scripts:?}");
    };
    let unchecked = "ALTER TABLE orders ADD CONSTRAINT k CHECK (parent IS NOT NULL) NOT VALID";
    let checked = "ALTER TABLE orders VALIDATE CONSTRAINT k";
    check(&[], Holds::Scan);
    check(&[unchecked], Holds::Scan);
    check(&[unchecked, checked], Holds::Moment);
    check(&[unchecked, checked, "ALTER TABLE orders DROP CONSTRAINT k"], Holds::Scan);
    check(&[unchecked, checked, "ALTER TABLE orders DROP CONSTRAINT other"], Holds::Moment);
    check(&[unchecked, checked, "ALTER TABLE orders DROP COLUMN parent"], Holds::Scan);
}

#[test]
fn a_down_script_tells_nothing_of_what_is_there() {
    let dir = folder(&[
        ("1_a.up.sql", "CREATE TABLE a (x int);"),
        ("1_a.down.sql", "ALTER TABLE a ALTER x TYPE text;"),
        ("2_b.up.sql", "ALTER TABLE a ALTER x TYPE int;"),
    ]);
    let review = review(&detected(dir.path()), &Choice::default());
    let down = &review.migrations[0].down.as_ref().unwrap().statements[0];
    let holds = |statement: &ReviewedStatement| statement.blocks.as_ref().unwrap().holds;
    assert_eq!((holds(down), &down.destroys), (Holds::Rewrite, &vec![]), "the type is known");
    assert_eq!(holds(&review.migrations[1].up.statements[0]), Holds::Moment, "it is int already");
}
