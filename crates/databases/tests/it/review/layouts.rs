//! Folders as the tools lay them out: which tool, in which order, and what is wrong with them.

use crate::review::folder;
use expect_test::{Expect, expect};
use ripcord_databases::formats::{self, Format, MigrationSet};

fn shown(set: &MigrationSet) -> String {
    let mut lines = vec![format!("{} {}", set.format, set.history.as_deref().unwrap_or("-"))];
    for migration in &set.migrations {
        let checksum = migration.checksum.as_deref().unwrap_or("-");
        let checksum: String = checksum.chars().take(12).collect();
        let down = migration.down.as_ref().map(|down| format!("; down {:?}", lines_of(&down.text)));
        lines.push(format!(
            "{:?} {} «{}» {} {:?} {checksum}: up {:?}{}",
            migration.kind,
            migration.version,
            migration.name,
            migration.up.path.display(),
            migration.up.transaction,
            lines_of(&migration.up.text),
            down.unwrap_or_default()
        ));
    }
    let problems = set.problems.iter();
    lines.extend(
        problems.map(|p| format!("{:?} {}:{} {}", p.kind, p.path.display(), p.line, p.message)),
    );
    lines.join("\n")
}

/// The lines that say something, with their numbers.
fn lines_of(text: &str) -> Vec<String> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines.map(|(line, number)| format!("{number}:{}", line.trim())).collect()
}

fn check(files: &[(&str, &str)], expected: &Expect) {
    let dir = folder(files);
    let text = match formats::detect(dir.path()) {
        Ok(format) => shown(&formats::read(dir.path(), format).unwrap()),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&text.replace(&dir.path().display().to_string(), "DIR"));
}

#[test]
fn plain() {
    check(
        &[
            ("010_c.up.sql", "SELECT 3;"),
            ("9_b.up.sql", "SELECT 2;"),
            ("9_b.down.sql", "SELECT -2;"),
            ("7_a.down.sql", "SELECT -1;"),
            ("09_again.up.sql", "SELECT 9;"),
            ("20261121101010_t.up.sql", "-- nothing"),
            ("hello.sql", "SELECT 1"),
            ("README.md", "no migration"),
        ],
        &expect![[r#"
            plain -
            Versioned 9 «again» 09_again.up.sql Whole -: up ["1:SELECT 9;"]; down ["1:SELECT -2;"]
            Versioned 10 «c» 010_c.up.sql Whole -: up ["1:SELECT 3;"]
            Versioned 20261121101010 «t» 20261121101010_t.up.sql Whole -: up ["1:-- nothing"]
            MissingDown 010_c.up.sql:1 no script takes it back
            MissingDown 20261121101010_t.up.sql:1 no script takes it back
            EmptyScript 20261121101010_t.up.sql:1 it holds no statement
            DownWithoutUp 7_a.down.sql:1 no up script has its number; add it or remove this one
            DuplicateVersion 9_b.up.sql:1 09_again.up.sql is version 9 too; give one another number
            BadName hello.sql:1 the tool passes it over: a migration is named NNN_name.up.sql or NNN_name.down.sql or NNN_name.sql"#]],
    );
}

#[test]
fn golang_migrate() {
    check(
        &[
            ("go.mod", "require github.com/golang-migrate/migrate/v4 v4.18.1"),
            ("1_a.up.sql", "SELECT 1;"),
            ("1_a.down.sql", "SELECT 2;"),
        ],
        &expect![[r#"
            golang-migrate schema_migrations
            Versioned 1 «a» 1_a.up.sql OneMessage -: up ["1:SELECT 1;"]; down ["1:SELECT 2;"]"#]],
    );
}

#[test]
fn sqlx() {
    check(
        &[
            ("Cargo.toml", "[dependencies]\nsqlx = { version = \"0.8\" }"),
            ("20260101_a_b.sql", "SELECT 1;"),
            ("20260102_c.sql", "-- no-transaction\nSELECT 2;"),
        ],
        &expect![[r#"
            sqlx _sqlx_migrations
            Versioned 20260101 «a b» 20260101_a_b.sql Whole 26e71cc37450: up ["1:SELECT 1;"]
            Versioned 20260102 «c» 20260102_c.sql OneMessage 6a4ff70e961f: up ["1:-- no-transaction", "2:SELECT 2;"]
            MissingDown 20260101_a_b.sql:1 no migration here has a script that takes it back"#]],
    );
}

#[test]
fn diesel() {
    check(
        &[
            ("2026-01-02-000000_b/up.sql", "SELECT 2;"),
            ("20260101000000_a/up.sql", "SELECT 1;"),
            ("20260101000000_a/down.sql", "SELECT -1;"),
            ("20260101000000_a/metadata.toml", "run_in_transaction = false"),
            ("20260103000000_c/down.sql", "SELECT -3;"),
            ("20260104000000_d/up.sql", "SELECT 4;"),
            ("20260104000000_d/metadata.toml", "run_in_transaction = "),
        ],
        &expect![[r#"
            diesel __diesel_schema_migrations
            Versioned 20260101000000 «a» 20260101000000_a/up.sql OneMessage -: up ["1:SELECT 1;"]; down ["1:SELECT -1;"]
            Versioned 20260102000000 «b» 2026-01-02-000000_b/up.sql Whole -: up ["1:SELECT 2;"]
            Versioned 20260104000000 «d» 20260104000000_d/up.sql Whole -: up ["1:SELECT 4;"]
            MissingDown 2026-01-02-000000_b/up.sql:1 no script takes it back
            DownWithoutUp 20260103000000_c/down.sql:1 no up.sql lies beside it; add it or remove this one
            BadConfiguration 20260104000000_d/metadata.toml:1 it is not TOML: string values must be quoted, expected literal string
            MissingDown 20260104000000_d/up.sql:1 no script takes it back"#]],
    );
}

#[test]
fn flyway() {
    check(
        &[
            ("V1_1__second.sql", "SELECT '${Schema}';\nSELECT '${nowhere}${flyway:user}';"),
            ("V1__first_one.SQL", "SELECT 1;"),
            ("U1__undo.sql", "SELECT -1;"),
            ("deep/V10__tenth.sql", "CREATE INDEX CONCURRENTLY i ON a (b);"),
            ("deep/V10__tenth.sql.conf", "executeInTransaction=false\nunknown=1"),
            ("V1.0__again.sql", "SELECT 9;"),
            ("U3__lost.sql", "SELECT 3;"),
            ("R__views.sql", "SELECT 5;"),
            ("B1__base.sql", "SELECT 6;"),
            ("beforeMigrate.sql", "SELECT 7;"),
            ("V2_no_separator.sql", "SELECT 8;"),
            ("flyway.conf", "flyway.placeholders.schema=app\nflyway.table=done"),
        ],
        &expect![[r#"
            flyway done
            Baseline 1 «base» B1__base.sql Automatic 1274258843: up ["1:SELECT 6;"]
            Versioned 1 «again» V1.0__again.sql Automatic -865355436: up ["1:SELECT 9;"]; down ["1:SELECT -1;"]
            Versioned 1.1 «second» V1_1__second.sql Automatic 1758282493: up ["1:SELECT 'app';", "2:SELECT 'nowhereflyway_user';"]
            Versioned 10 «tenth» deep/V10__tenth.sql Separate -239557912: up ["1:CREATE INDEX CONCURRENTLY i ON a (b);"]
            Repeatable  «views» R__views.sql Automatic 1625224792: up ["1:SELECT 5;"]
            DownWithoutUp U3__lost.sql:1 no V script has its version; add it or remove this one
            MissingDown V1_1__second.sql:1 no script takes it back
            Placeholder V1_1__second.sql:2 no configuration here has a value for ${nowhere}; Flyway refuses the script unless it is given elsewhere
            DuplicateVersion V1__first_one.SQL:1 V1.0__again.sql is the same; Flyway refuses both
            BadName V2_no_separator.sql:1 the tool passes it over: a migration is named V1__name.sql, U1__name.sql, R__name.sql or B1__name.sql
            MissingDown deep/V10__tenth.sql:1 no script takes it back
            BadConfiguration deep/V10__tenth.sql.conf:2 «unknown» is no setting of a script; Flyway refuses it"#]],
    );
}

#[test]
fn flyway_by_its_configuration() {
    check(
        &[
            (
                "flyway.toml",
                "[flyway]\nlocations = [\"filesystem:sql\"]\nsqlMigrationPrefix = \"M\"\n\
                 mixed = true\n[flyway.placeholders]\na = \"b\"",
            ),
            ("sql/M1__x.sql", "SELECT '${A}';"),
            ("other/V1__y.sql", "SELECT 2;"),
        ],
        &expect![[r#"
            flyway flyway_schema_history
            Versioned 1 «x» sql/M1__x.sql Separate 388643484: up ["1:SELECT 'b';"]
            MissingDown sql/M1__x.sql:1 no migration here has a script that takes it back"#]],
    );
}

#[test]
fn refinery() {
    check(
        &[
            ("Cargo.toml", "[dependencies]\nrefinery = \"0.8\""),
            ("V1__a.sql", "SELECT 1;"),
            ("U2__b.sql", "SELECT 2;"),
            ("V2__c.sql", "SELECT 3;"),
            ("x.sql", "SELECT 4;"),
        ],
        &expect![[r#"
            refinery refinery_schema_history
            Versioned 1 «a» V1__a.sql Whole 174878639825: up ["1:SELECT 1;"]
            Versioned 2 «b» U2__b.sql Whole 334032282297: up ["1:SELECT 2;"]
            MissingDown V1__a.sql:1 no migration here has a script that takes it back
            DuplicateVersion V2__c.sql:1 U2__b.sql is version 2 too; give one another number
            BadName x.sql:1 the tool passes it over: a migration is named V1__name.sql or U1__name.sql"#]],
    );
}

#[test]
fn dbmate() {
    check(
        &[
            (
                "1_a.sql",
                "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT -1;\n-- migrate:up\nSELECT 2;",
            ),
            ("2_b.sql", "-- migrate:up transaction:false\nSELECT 2;\n"),
            ("3_c.sql", "SELECT 0;\n-- migrate:up\nSELECT 3;"),
            ("4_d.sql", "SELECT 4;"),
        ],
        &expect![[r#"
            dbmate schema_migrations
            Versioned 1 «a» 1_a.sql Whole -: up ["2:SELECT 1;", "6:SELECT 2;"]; down ["4:SELECT -1;"]
            Versioned 2 «b» 2_b.sql OneMessage -: up ["2:SELECT 2;"]
            Versioned 3 «c» 3_c.sql Whole -: up ["3:SELECT 3;"]
            Versioned 4 «d» 4_d.sql Whole -: up []
            MissingDown 2_b.sql:1 no script takes it back
            MissingDown 3_c.sql:1 no script takes it back
            BadMark 3_c.sql:1 this stands before «-- migrate:up», so the tool refuses or drops it
            MissingDown 4_d.sql:1 no script takes it back
            EmptyScript 4_d.sql:1 nothing goes up
            BadMark 4_d.sql:1 it has no «-- migrate:up», so the tool refuses it
            BadMark 4_d.sql:1 this stands before «-- migrate:up», so the tool refuses or drops it"#]],
    );
}

#[test]
fn goose() {
    check(
        &[
            (
                "00001_a.sql",
                "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd\n\n\
                 -- +goose Down\nSELECT -1;",
            ),
            ("00002_b.sql", "-- +goose NO TRANSACTION\n-- +goose up\nSELECT 2;"),
            ("00003_c.go", "package migrations"),
        ],
        &expect![[r#"
            goose goose_db_version
            Versioned 1 «a» 00001_a.sql Whole -: up ["2:-- +goose StatementBegin", "3:SELECT 1;", "4:-- +goose StatementEnd"]; down ["7:SELECT -1;"]
            Versioned 2 «b» 00002_b.sql Separate -: up ["3:SELECT 2;"]
            MissingDown 00002_b.sql:1 no script takes it back
            BadName 00003_c.go:1 the tool passes it over: a migration is named NNN_name.sql to be reviewed; a program cannot be"#]],
    );
}

#[test]
fn sql_migrate() {
    check(
        &[
            ("10-b.sql", "-- +migrate Up notransaction\nSELECT 2;\n-- +migrate Down\nSELECT -2;"),
            ("9-a.sql", "-- +migrate Up\nSELECT 1;"),
        ],
        &expect![[r#"
            sql-migrate gorp_migrations
            Versioned 9-a.sql «9-a» 9-a.sql Whole -: up ["2:SELECT 1;"]
            Versioned 10-b.sql «10-b» 10-b.sql Separate -: up ["2:SELECT 2;"]; down ["4:SELECT -2;"]
            MissingDown 9-a.sql:1 no script takes it back"#]],
    );
}

#[test]
fn what_is_not_clear_is_asked() {
    check(
        &[("V1__a.sql", "SELECT 1"), ("U2__b.sql", "SELECT 2")],
        &expect!["DIR could be for flyway, refinery; say which with --format"],
    );
    check(
        &[("V1__a.sql", "SELECT 1"), ("1_b.up.sql", "SELECT 2")],
        &expect![
            "DIR could be for plain, golang-migrate, sqlx, flyway, refinery; say which with --format"
        ],
    );
    check(
        &[
            ("go.mod", "github.com/golang-migrate/migrate"),
            ("Cargo.toml", "[dependencies]\nsqlx = \"1\""),
            ("1_a.up.sql", "SELECT 1"),
        ],
        &expect!["DIR could be for golang-migrate, sqlx; say which with --format"],
    );
    check(
        &[("1_a.sql", "-- +goose Up\n-- migrate:up\nSELECT 1")],
        &expect!["DIR could be for dbmate, goose; say which with --format"],
    );
    check(
        &[],
        &expect![
            "DIR holds no migrations of any format that is known; name the folder in which they are"
        ],
    );
    check(
        &[("notes.txt", "x")],
        &expect![
            "DIR holds no migrations of any format that is known; name the folder in which they are"
        ],
    );
}

#[test]
fn a_mark_decides_between_layouts() {
    check(
        &[("flyway.conf", ""), ("V1__a.sql", "SELECT 1"), ("U2__b.sql", "SELECT 2")],
        &expect![[r#"
            flyway flyway_schema_history
            Versioned 1 «a» V1__a.sql Automatic 1719613851: up ["1:SELECT 1"]
            DownWithoutUp U2__b.sql:1 no V script has its version; add it or remove this one
            MissingDown V1__a.sql:1 no migration here has a script that takes it back"#]],
    );
}

#[test]
fn names_are_read_back() {
    for format in Format::ALL {
        assert_eq!(Format::named(format.name()), Some(format));
    }
    assert_eq!(Format::named("liquibase"), None);
}

#[test]
fn gaps_are_between_counted_versions_only() {
    check(
        &[
            ("1_a.up.sql", "SELECT 1;"),
            ("1_a.down.sql", "SELECT 1;"),
            ("3_c.up.sql", "SELECT 3;"),
            ("3_c.down.sql", "SELECT 3;"),
            ("20260101000000_t.up.sql", "SELECT 4;"),
            ("20260101000000_t.down.sql", "SELECT 4;"),
        ],
        &expect![[r#"
            plain -
            Versioned 1 «a» 1_a.up.sql Whole -: up ["1:SELECT 1;"]; down ["1:SELECT 1;"]
            Versioned 3 «c» 3_c.up.sql Whole -: up ["1:SELECT 3;"]; down ["1:SELECT 3;"]
            Versioned 20260101000000 «t» 20260101000000_t.up.sql Whole -: up ["1:SELECT 4;"]; down ["1:SELECT 4;"]
            Gap 3_c.up.sql:1 nothing between 1 and 3; is a file missing?"#]],
    );
}

#[test]
fn marks_count_within_the_repository_only() {
    let marks = |git: bool| {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("project/migrations");
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::write(dir.path().join("Cargo.toml"), "[dependencies]\nsqlx = \"0.8\"").unwrap();
        std::fs::write(inside.join("1_a.up.sql"), "SELECT 1;").unwrap();
        if git {
            std::fs::create_dir(dir.path().join("project/.git")).unwrap();
        }
        formats::detect(&inside).unwrap()
    };
    assert_eq!(marks(false), Format::Sqlx);
    assert_eq!(marks(true), Format::Plain);
}
