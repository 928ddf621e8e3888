//! One table of a random case: how it is made, what the migration does to it, and what users do
//! while the newer schema is in force. Everything follows from a seed.

use std::fmt::Write as _;

/// Numbers that follow from a seed.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below another.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }
}

/// By what rows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Number,
    Text,
    Pair,
    Unique,
    Nothing,
}

/// One thing that a user does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Writes a new row.
    Insert(u64),
    /// Writes a value into `a`.
    Edit(u64, u64),
    /// Writes a value into what the migration added.
    Fill(u64, u64),
    Delete(u64),
}

/// One table.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) table: String,
    pub(super) key: Key,
    pub(super) rows: Vec<(u64, u64, Option<u64>)>,
    pub(super) statements: Vec<String>,
    pub(super) users: Vec<Act>,
}

/// Keys of rows from before are below this, those of users from here on.
pub(super) const KEYS: u64 = 12;

/// What a step of a migration may be; `T` is the table. None of them needs another.
const STATEMENTS: [&str; 29] = [
    "UPDATE T SET a = a + 1 WHERE b = 2",
    "UPDATE T SET a = a * 10, b = NULL WHERE a > 1",
    "UPDATE T SET b = coalesce(b, 0) + 1",
    "DELETE FROM T WHERE b = 1",
    "DELETE FROM T WHERE a = 3",
    "INSERT INTO T (k, l, a) SELECT '99', 99, 7 WHERE NOT EXISTS (SELECT FROM T WHERE l = 99)",
    "TRUNCATE T",
    "ALTER TABLE T ADD COLUMN e int DEFAULT 8",
    "ALTER TABLE T ADD COLUMN f text; UPDATE T SET f = c || '!'",
    "ALTER TABLE T DROP COLUMN c",
    "ALTER TABLE T DROP COLUMN d",
    "ALTER TABLE T ALTER COLUMN a TYPE bigint; UPDATE T SET a = a + 10000000000 WHERE b = 3",
    "ALTER TABLE T ALTER COLUMN b TYPE text USING 'b' || b",
    "ALTER TABLE T RENAME COLUMN d TO dd",
    "ALTER TABLE T RENAME TO T_other; ALTER TABLE T_other RENAME TO T",
    "CREATE INDEX ON T (a)",
    "ALTER TABLE T ALTER COLUMN c SET DEFAULT 'other'",
    "ALTER TABLE T ALTER COLUMN c DROP NOT NULL",
    "CREATE TABLE T_extra (x int PRIMARY KEY); INSERT INTO T_extra SELECT DISTINCT a::int FROM T",
    "CREATE VIEW T_view AS SELECT l, a FROM T",
    "DO $$BEGIN UPDATE T SET a = 55 WHERE l < 3; DELETE FROM T WHERE l = 5; END$$",
    "ALTER TABLE T ADD CONSTRAINT T_check CHECK (l >= 0)",
    "UPDATE T SET b = coalesce(b, 0); ALTER TABLE T ALTER COLUMN b SET DEFAULT 0, ALTER COLUMN b SET NOT NULL",
    "ALTER TABLE T RENAME COLUMN d TO d_old; ALTER TABLE T ADD COLUMN d bytea; UPDATE T SET d = d_old",
    "ALTER TABLE T DROP COLUMN c; ALTER TABLE T ADD COLUMN c text DEFAULT 'anew'",
    "ALTER TABLE T ALTER COLUMN c TYPE varchar(2) USING c::varchar(2)",
    "UPDATE T SET l = l + 1000 WHERE l = 4",
    "ALTER TABLE T ADD COLUMN g serial",
    "CREATE TABLE T_copy AS SELECT * FROM T; DELETE FROM T_copy WHERE l = 1",
];

impl Case {
    pub(super) fn new(table: String, dice: &mut Dice) -> Case {
        let key = match dice.below(5) {
            0 => Key::Number,
            1 => Key::Text,
            2 => Key::Pair,
            3 => Key::Unique,
            _ => Key::Nothing,
        };
        let mut rows: Vec<(u64, u64, Option<u64>)> = (0..dice.below(KEYS))
            .map(|_| (dice.below(KEYS), dice.below(5), Some(dice.below(6)).filter(|b| *b < 5)))
            .collect();
        rows.sort_unstable();
        rows.dedup_by_key(|row| row.0);
        let mut statements: Vec<String> = Vec::new();
        for _ in 0..=dice.below(4) {
            let one = dice.pick(&STATEMENTS);
            let gone = |word: &str| statements.iter().any(|done| done.contains(word));
            // Types that were changed, columns that were dropped and names that are taken.
            let column = |name: &str| one.contains(&format!(" {name} ")) || one.ends_with(name);
            let clash = gone(one)
                || (gone("DROP COLUMN c") || gone("DROP NOT NULL") || gone("SET DEFAULT 'other'"))
                    && (one.contains(" c ") || column("c"))
                || gone("COLUMN d") && one.contains("COLUMN d")
                || gone("SET NOT NULL") && (one.contains("b = NULL") || one.contains("TYPE text"))
                || gone("TYPE text") && one.contains("SET NOT NULL")
                || gone("varchar(2)") && one.contains("DEFAULT 'other'")
                || gone("DEFAULT 'other'") && one.contains("varchar(2)")
                || gone("TYPE text") && (one.contains("b = ") || one.contains("SET b"))
                || gone("_view") && (one.contains("TYPE") || one.contains("RENAME TO"))
                || gone("TYPE bigint") && one.contains("_extra")
                || gone("_view") && one.contains("TRUNCATE");
            if !clash {
                statements.push((*one).to_owned());
            }
        }
        let users = (0..dice.below(9))
            .map(|_| match dice.below(8) {
                0 | 1 => Act::Insert(20 + dice.below(20)),
                2..=4 => Act::Edit(dice.below(KEYS), 1000 + dice.below(9)),
                5 => Act::Fill(dice.below(KEYS), 500 + dice.below(9)),
                _ => Act::Delete(dice.below(KEYS)),
            })
            .collect();
        Case { table, key, rows, statements, users }
    }

    /// The table with its rows.
    pub(super) fn setup(&self) -> String {
        let columns = match self.key {
            Key::Number => {
                "k text, l int PRIMARY KEY, a int, b int, c text NOT NULL DEFAULT '-', d bytea"
            }
            Key::Text => {
                "k text PRIMARY KEY, l int, a int, b int, c text NOT NULL DEFAULT '-', d bytea"
            }
            Key::Pair => {
                "k text, l int, a int, b int, c text NOT NULL DEFAULT '-', d bytea, PRIMARY KEY (k, l)"
            }
            Key::Unique => {
                "k text, l int NOT NULL UNIQUE, a int, b int, c text NOT NULL DEFAULT '-', d bytea"
            }
            Key::Nothing => "k text, l int, a int, b int, c text NOT NULL DEFAULT '-', d bytea",
        };
        let mut sql = format!("CREATE TABLE {} ({columns});\n", self.table);
        for (key, a, b) in &self.rows {
            let b = b.map_or("NULL".to_owned(), |b| b.to_string());
            let _ = writeln!(
                sql,
                "INSERT INTO {} VALUES ('{key}', {key}, {a}, {b}, 'c{key}', '\\x0{}');",
                self.table,
                key % 10
            );
        }
        sql
    }

    /// What the migration does to it.
    pub(super) fn up(&self) -> String {
        self.statements.iter().fold(String::new(), |mut script, statement| {
            // The letter stands alone or begins a longer name.
            for word in statement.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_') {
                let name = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_');
                let own = name == "T" || name.starts_with("T_");
                script.push_str(&if own {
                    word.replacen('T', &self.table, 1)
                } else {
                    word.to_owned()
                });
            }
            script.push_str(";\n");
            script
        })
    }

    pub(super) fn has(&self, part: &str) -> bool {
        self.statements.iter().any(|statement| statement.contains(part))
    }
}
