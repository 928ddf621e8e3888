//! What scripts are read as.

use super::*;
use crate::statement::kind::DefaultValue;
use crate::statement::piece::split;

fn read(script: &str) -> Vec<Parsed> {
    split(script).iter().map(parse).collect()
}

fn check(script: &str, expected: &str) {
    let found: Vec<String> =
        read(script).iter().flat_map(|p| p.does.iter().map(|s| format!("{s:?}"))).collect();
    assert_eq!(shown(&found.join("; ")), expected, "{script}");
}

/// Debug output without what is long and says little.
fn shown(text: &str) -> String {
    let mut text = text.to_owned();
    for noise in ["Name { schema: None, name: ", "Name { schema: Some(\"s\"), name: "] {
        while let Some(at) = text.find(noise) {
            let end = at + noise.len();
            let close = end + text[end..].find(" }").unwrap_or(0);
            let prefix = if noise.contains("Some") { "s." } else { "" };
            let name = text[end..close].trim_matches('"').to_owned();
            text.replace_range(at..close + 2, &format!("{prefix}{name}"));
        }
    }
    text
}

#[test]
fn alter_table() {
    check(
        "ALTER TABLE ONLY s.a DROP COLUMN IF EXISTS b CASCADE, DROP c",
        "DropColumn { table: s.a, column: \"b\", cascade: true }; \
         DropColumn { table: s.a, column: \"c\", cascade: false }",
    );
    check(
        "alter table a alter x type varchar(5) using x::text, alter y set not null",
        "AlterType { table: a, column: \"x\", to: \"varchar(5)\", using: true }; \
         SetNotNull { table: a, column: \"y\" }",
    );
    check(
        "alter table a rename x to \"Y\"; alter table a rename to b; alter table a set schema t",
        "RenameColumn { table: a, from: \"x\", to: \"Y\" }; \
         Rename { object: Object { kind: \"table\", name: a, table: None }, to: \"b\" }; \
         SetSchema { object: Object { kind: \"table\", name: a, table: None }, schema: \"t\" }",
    );
    check(
        "alter table a add constraint k foreign key (x) references o (id) not valid",
        "AddConstraint { table: a, constraint: Constraint { name: Some(\"k\"), \
         kind: ForeignKey { to: o }, not_valid: true } }",
    );
    check(
        "alter table a add constraint k check (x is not null) not valid, validate constraint k",
        "AddConstraint { table: a, constraint: Constraint { name: Some(\"k\"), \
         kind: Check { proves_not_null: Some(\"x\") }, not_valid: true } }; \
         ValidateConstraint { table: a, constraint: \"k\" }",
    );
    check(
        "alter table a add constraint k unique using index i",
        "AddConstraint { table: a, constraint: Constraint { name: Some(\"k\"), \
         kind: Unique { using_index: Some(i) }, not_valid: false } }",
    );
    check(
        "alter table a detach partition b concurrently, set logged, enable row level security",
        "DetachPartition { table: a, partition: b, concurrently: true }; \
         RewriteTable { table: a, what: \"set logged\" }; \
         RowSecurity { table: a, stricter: true }",
    );
    check("alter table a owner to x", "TableOption { table: a, what: \"owner to x\" }");
}

#[test]
fn add_column() {
    let check = |text: &str, not_null: bool, default: &DefaultValue| {
        let found = read(&format!("ALTER TABLE a ADD COLUMN {text}"));
        let [Statement::AddColumn { column, .. }] = found[0].does.as_slice() else {
            panic!("{:?}", found[0].does);
        };
        assert_eq!((column.not_null, &column.default), (not_null, default), "{text}");
    };
    check("b int", false, &DefaultValue::Missing);
    check("b int not null default 3", true, &DefaultValue::Constant);
    check("b timestamptz default now()", false, &DefaultValue::Constant);
    check(
        "b timestamptz default clock_timestamp()",
        false,
        &DefaultValue::Volatile("clock_timestamp".into()),
    );
    check(
        "b uuid default pg_catalog.gen_random_uuid()",
        false,
        &DefaultValue::Volatile("gen_random_uuid".into()),
    );
    check("b text default null", false, &DefaultValue::Missing);
    check("b bigserial", true, &DefaultValue::Volatile("nextval".into()));
    check("b int generated always as identity", false, &DefaultValue::Volatile("nextval".into()));
    check("b int generated always as (1) stored", false, &DefaultValue::Stored);
    check("b int primary key", true, &DefaultValue::Missing);
}

#[test]
fn create_and_drop() {
    check(
        "create unique index concurrently if not exists i on only s.a (b)",
        "CreateIndex { index: Some(i), table: s.a, unique: true, concurrently: true }",
    );
    check(
        "drop table if exists a, s.b cascade",
        "DropTable { table: a, cascade: true }; DropTable { table: s.b, cascade: true }",
    );
    check(
        "drop function f(int), g; drop trigger t on a; drop policy p on a",
        "DropDefinition { object: Object { kind: \"function\", name: f, table: None }, cascade: \
         false }; DropDefinition { object: Object { kind: \"function\", name: g, table: None }, \
         cascade: false }; DropDefinition { object: Object { kind: \"trigger\", name: t, table: \
         Some(a) }, cascade: false }; DropDefinition { object: Object { kind: \"policy\", name: \
         p, table: Some(a) }, cascade: false }",
    );
    check(
        "drop operator +(int,int); drop cast (int as text); drop aggregate g(int)",
        "DropDefinition { object: Object { kind: \"operator\", name: +(int,int), table: None }, \
         cascade: false }; DropDefinition { object: Object { kind: \"cast\", name: (int as text), \
         table: None }, cascade: false }; DropDefinition { object: Object { kind: \"aggregate\", \
         name: g, table: None }, cascade: false }",
    );
    check(
        "create or replace view v as select 1; create materialized view m as select 1",
        "CreateView { view: v, replace: true }; CreateMaterializedView { view: m }",
    );
    check(
        "alter type t add value 'it''s'; alter type t rename value 'a' to 'b'",
        "AddEnumValue { type_name: t, value: \"it's\" }; \
         RenameEnumValue { type_name: t, from: \"a\", to: \"b\" }",
    );
    check(
        "create sequence s; create schema x",
        "Create { object: Object { kind: \"sequence\", name: s, table: None } }; Create { object: Object { kind: \"schema\", name: x, table: None } }",
    );
}

#[test]
fn rows_and_sessions() {
    check(
        "with x as (delete from a where b returning *) insert into c select * from x",
        "Insert { table: c }; Delete { table: a, every_row: false }",
    );
    check(
        "update a set b = 1; delete from a",
        "Update { table: a, every_row: true }; Delete { table: a, every_row: true }",
    );
    check("select f(1), count(*) from a", "Opaque { what: \"the function f\" }");
    check("copy a from stdin;\n1\n\\.\n", "Insert { table: a }; CopyRows");
    check(
        "truncate a, only b restart identity cascade",
        "Truncate { table: a, cascade: true, restarts: true }; Truncate { table: b, cascade: true, restarts: true }",
    );
    check(
        "set local lock_timeout to '5s'; reset all",
        "Setting { name: \"lock_timeout\", value: Some(\"5s\") }; Setting { name: \"reset all\", value: None }",
    );
    check(
        "begin; commit; rollback to x",
        "Transaction { word: Begin }; Transaction { word: Commit }; Transaction { word: Savepoint }",
    );
    check(
        "vacuum full a; vacuum a",
        "Compact { table: Some(a), what: \"vacuum full a\" }; Maintain { what: \"VACUUM\", in_transaction: false }",
    );
    check(
        "reindex index concurrently i; lock table a in share mode",
        "Reindex { what: \"index concurrently i\", concurrently: true }; Lock { table: a, mode: \"in share mode\" }",
    );
    check(
        "do $$ begin drop table a; end $$; call p(1)",
        "Opaque { what: \"a DO block\" }; Opaque { what: \"the procedure p\" }",
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    for script in ["selec 1", "create table", "alter table a add", "drop table 'a", ")", "a b"] {
        let found = read(script);
        assert!(matches!(found[0].does[..], [Statement::Unreadable { .. }]), "{script}: {found:?}");
    }
}

#[test]
fn too_long_and_too_deep() {
    std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(|| {
            let rows = "(1, 'x'),".repeat(20_000);
            let found = read(&format!("INSERT INTO a VALUES {rows} (1, 'x')"));
            assert_eq!(found[0].does, [Statement::Insert { table: Name::bare("a") }]);
            assert!(found[0].shortened);
            for (open, close) in [
                ("(", ")"),
                ("array[", "]"),
                ("case when ", " end"),
                ("not ", ""),
                ("- ", ""),
                ("select (", ")"),
            ] {
                for times in [350, 9_000] {
                    read(&format!("select {}1{}", open.repeat(times), close.repeat(times)));
                }
            }
            let deep = read(&format!("select {}1{}", "(".repeat(9_000), ")".repeat(9_000)));
            assert!(matches!(deep[0].does[..], [Statement::Unreadable { .. }]));
        })
        .unwrap()
        .join()
        .unwrap();
}

use crate::statement::name::Name;
