//! What a statement is, as far as undo and review need to know. `SQLite` itself judges its syntax:
//! what is not recognised here is opaque, and treated as if it did everything.

use crate::error::MigrationError;
use crate::sql::{Kind, Piece, Token, split, tokens};

/// A kind of statement with the names it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    CreateTable {
        table: String,
    },
    DropTable {
        table: String,
    },
    AddColumn {
        table: String,
        column: String,
        demands: bool,
    },
    DropColumn {
        table: String,
        column: String,
    },
    RenameColumn {
        table: String,
        from: String,
        to: String,
    },
    RenameTable {
        from: String,
        to: String,
    },
    CreateIndex {
        index: String,
        table: String,
        unique: bool,
    },
    DropIndex {
        index: String,
    },
    CreateView {
        view: String,
    },
    DropView {
        view: String,
    },
    CreateTrigger {
        trigger: String,
        table: String,
    },
    DropTrigger {
        trigger: String,
    },
    Insert {
        table: String,
    },
    Update {
        table: String,
    },
    Delete {
        table: String,
    },
    /// Reads, or maintains what the catalogue does not show (ANALYZE, REINDEX).
    Harmless,
    /// Anything else that `SQLite` may understand.
    Opaque,
}

/// A statement in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) piece: Piece,
    pub(crate) statement: Statement,
    /// Whether it may replace rows by the way, which triggers are not told of.
    pub(crate) replaces: bool,
}

/// A script, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Script {
    pub(crate) file: String,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    /// Reads a script, and refuses what cannot be part of a transaction that is not its own.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Script, MigrationError> {
        let mut steps = Vec::new();
        for piece in split(file, text)? {
            let words: Vec<Token<'_>> =
                tokens(&piece.text).into_iter().filter(|t| t.kind != Kind::Comment).collect();
            if let Some((word, why)) = refusal(&words) {
                let line = piece.line + word.line - 1;
                return Err(MigrationError::Script { file: file.to_owned(), line, why });
            }
            let statement = classify(&words);
            let replaces = replaces(&words);
            steps.push(Step { piece, statement, replaces });
        }
        Ok(Script { file: file.to_owned(), steps })
    }

    /// Whether it holds a statement of which this is true.
    pub(crate) fn any(&self, is: impl Fn(&Statement) -> bool) -> bool {
        self.steps.iter().any(|step| is(&step.statement))
    }
}

impl Statement {
    /// Whether it writes rows.
    pub(crate) fn is_data(&self) -> bool {
        use Statement::{Delete, Insert, Opaque, Update};
        matches!(self, Insert { .. } | Update { .. } | Delete { .. } | Opaque)
    }
}

/// Whether a text holds REPLACE as a way to resolve conflicts, not as a function.
pub(crate) fn replaces(words: &[Token<'_>]) -> bool {
    words
        .iter()
        .enumerate()
        .any(|(at, word)| word.is("replace") && !words.get(at + 1).is_some_and(|next| next.is("(")))
}

fn refusal<'t, 'a>(words: &'t [Token<'a>]) -> Option<(&'t Token<'a>, String)> {
    let first = words.first()?;
    let refuse = |why: &str| Some((first, why.to_owned()));
    for word in ["begin", "commit", "end", "rollback", "savepoint", "release"] {
        if first.is(word) {
            let word = word.to_uppercase();
            let why = format!(
                "{word} is not allowed: a change is one transaction of Ripcord's, so that it \
                 happens whole or not at all; remove it"
            );
            return Some((first, why));
        }
    }
    if first.is("attach") || first.is("detach") {
        return refuse("ATTACH and DETACH are not allowed: a change is of one database");
    }
    if first.is("vacuum") {
        return refuse("VACUUM is not allowed: it cannot run in a transaction");
    }
    if first.is("pragma") {
        return refuse("PRAGMA is not allowed: what it sets would not be taken back; remove it");
    }
    if first.is("create") && words.get(1).is_some_and(|word| word.is("virtual")) {
        return refuse(
            "virtual tables cannot be created by a change, since undo cannot see inside",
        );
    }
    let own = words.iter().find(|word| {
        let name = word.name().unwrap_or_default();
        word.kind != Kind::Text && name.to_ascii_lowercase().starts_with("ripcord_")
    })?;
    Some((own, format!("{} is Ripcord's own; scripts must leave it alone", own.text)))
}

/// Reads names off a list of tokens.
struct Reader<'t, 'a> {
    words: &'t [Token<'a>],
}

impl Reader<'_, '_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.first().is_some_and(|first| first.is(word));
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    /// Skips these words if all of them follow.
    fn skip(&mut self, phrase: &[&str]) {
        let follows = phrase.iter().zip(self.words).filter(|(word, t)| t.is(word)).count();
        if follows == phrase.len() {
            self.words = &self.words[phrase.len()..];
        }
    }

    fn word(&mut self) -> Option<String> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        first.name()
    }

    /// A name, of which only the part after the schema matters. None for another schema than the
    /// main one.
    fn name(&mut self) -> Option<String> {
        let name = self.word()?;
        if !self.take(".") {
            return Some(name);
        }
        if name.eq_ignore_ascii_case("main") { self.word() } else { None }
    }
}

fn classify(words: &[Token<'_>]) -> Statement {
    let mut reader = Reader { words };
    let found = if reader.take("create") {
        create(&mut reader)
    } else if reader.take("drop") {
        drop(&mut reader)
    } else if reader.take("alter") {
        alter(&mut reader)
    } else if reader.take("with") {
        let body = after_ctes(reader.words);
        data(&mut Reader { words: body })
    } else if ["select", "values", "analyze", "reindex", "explain"].iter().any(|w| reader.take(w)) {
        Some(Statement::Harmless)
    } else {
        data(&mut reader)
    };
    found.unwrap_or(Statement::Opaque)
}

fn create(reader: &mut Reader<'_, '_>) -> Option<Statement> {
    let temporary = reader.take("temp") || reader.take("temporary");
    let unique = reader.take("unique");
    let kind = reader.word()?.to_ascii_lowercase();
    reader.skip(&["if", "not", "exists"]);
    let name = reader.name()?;
    if temporary {
        return None;
    }
    match kind.as_str() {
        "table" => Some(Statement::CreateTable { table: name }),
        "index" => {
            reader.take("on");
            Some(Statement::CreateIndex { index: name, table: reader.name()?, unique })
        }
        "view" => Some(Statement::CreateView { view: name }),
        "trigger" => {
            let on = reader.words.iter().position(|word| word.is("on"))?;
            let table = Reader { words: &reader.words[on + 1..] }.name()?;
            Some(Statement::CreateTrigger { trigger: name, table })
        }
        _ => None,
    }
}

fn drop(reader: &mut Reader<'_, '_>) -> Option<Statement> {
    let kind = reader.word()?.to_ascii_lowercase();
    reader.skip(&["if", "exists"]);
    let name = reader.name()?;
    match kind.as_str() {
        "table" => Some(Statement::DropTable { table: name }),
        "index" => Some(Statement::DropIndex { index: name }),
        "view" => Some(Statement::DropView { view: name }),
        "trigger" => Some(Statement::DropTrigger { trigger: name }),
        _ => None,
    }
}

fn alter(reader: &mut Reader<'_, '_>) -> Option<Statement> {
    if !reader.take("table") {
        return None;
    }
    let table = reader.name()?;
    if reader.take("rename") {
        if reader.take("to") {
            return Some(Statement::RenameTable { from: table, to: reader.word()? });
        }
        reader.take("column");
        let from = reader.word()?;
        return reader
            .take("to")
            .then_some(())
            .and_then(|()| Some(Statement::RenameColumn { table, from, to: reader.word()? }));
    }
    if reader.take("add") {
        reader.take("column");
        let column = reader.word()?;
        let has = |word| reader.words.iter().any(|token| token.is(word));
        let demands = has("not") && !has("default") && !has("as");
        return Some(Statement::AddColumn { table, column, demands });
    }
    if reader.take("drop") {
        reader.take("column");
        return Some(Statement::DropColumn { table, column: reader.word()? });
    }
    None
}

fn data(reader: &mut Reader<'_, '_>) -> Option<Statement> {
    let verb = reader.word()?.to_ascii_lowercase();
    if reader.take("or") {
        reader.word()?;
    }
    match verb.as_str() {
        "insert" | "replace" => {
            reader.take("into");
            Some(Statement::Insert { table: reader.name()? })
        }
        "update" => Some(Statement::Update { table: reader.name()? }),
        "delete" => {
            reader.take("from");
            Some(Statement::Delete { table: reader.name()? })
        }
        "select" | "values" => Some(Statement::Harmless),
        _ => None,
    }
}

/// What follows the common table expressions: the first verb outside all parentheses.
fn after_ctes<'t, 'a>(words: &'t [Token<'a>]) -> &'t [Token<'a>] {
    let mut depth = 0_usize;
    for (at, word) in words.iter().enumerate() {
        if word.is("(") {
            depth += 1;
        } else if word.is(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0
            && ["insert", "replace", "update", "delete", "select"].iter().any(|v| word.is(v))
        {
            return &words[at..];
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match Script::parse("f", text) {
            Ok(script) => {
                let shown = script.steps.iter().map(|step| format!("{:?}", step.statement));
                shown.collect::<Vec<_>>().join("; ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn knows_statements() {
        check("CREATE TABLE IF NOT EXISTS main.[a b](x)", r#"CreateTable { table: "a b" }"#);
        check("drop table if exists a", r#"DropTable { table: "a" }"#);
        check(
            "ALTER TABLE a ADD b TEXT NOT NULL",
            r#"AddColumn { table: "a", column: "b", demands: true }"#,
        );
        check(
            "ALTER TABLE a ADD COLUMN b TEXT NOT NULL DEFAULT ''",
            r#"AddColumn { table: "a", column: "b", demands: false }"#,
        );
        check("ALTER TABLE a DROP COLUMN b", r#"DropColumn { table: "a", column: "b" }"#);
        check("ALTER TABLE a RENAME TO b", r#"RenameTable { from: "a", to: "b" }"#);
        check("ALTER TABLE a RENAME b TO c", r#"RenameColumn { table: "a", from: "b", to: "c" }"#);
        check(
            "CREATE UNIQUE INDEX i ON a(b)",
            r#"CreateIndex { index: "i", table: "a", unique: true }"#,
        );
        check(
            "CREATE TRIGGER t AFTER UPDATE OF x ON a BEGIN SELECT 1; END",
            r#"CreateTrigger { trigger: "t", table: "a" }"#,
        );
        check("WITH x AS (SELECT 1) DELETE FROM a", r#"Delete { table: "a" }"#);
        check("REPLACE INTO a VALUES(1)", r#"Insert { table: "a" }"#);
        check("UPDATE OR IGNORE a SET x = 1", r#"Update { table: "a" }"#);
        check("CREATE TEMP TABLE a(x)", "Opaque");
        check("DELETE FROM aux.a", "Opaque");
        check("FROBNICATE", "Opaque");
        check("SELECT 1; ANALYZE", "Harmless; Harmless");
    }

    #[test]
    fn refuses_what_undo_cannot_hold() {
        check(
            "SELECT 1;\nCOMMIT",
            "f:2: COMMIT is not allowed: a change is one transaction of Ripcord's, so that it happens whole or not at all; remove it",
        );
        check(
            "pragma foreign_keys=off",
            "f:1: PRAGMA is not allowed: what it sets would not be taken back; remove it",
        );
        check("VACUUM", "f:1: VACUUM is not allowed: it cannot run in a transaction");
        check(
            "DELETE FROM\n\"Ripcord_fence\"",
            "f:2: \"Ripcord_fence\" is Ripcord's own; scripts must leave it alone",
        );
        check("INSERT INTO a VALUES('ripcord_x')", r#"Insert { table: "a" }"#);
    }

    #[test]
    fn knows_replacing() {
        let check = |text: &str, expected: bool| {
            assert_eq!(replaces(&tokens(text)), expected, "{text}");
        };
        check("INSERT OR REPLACE INTO a VALUES(1)", true);
        check("CREATE TABLE a(x UNIQUE ON CONFLICT REPLACE)", true);
        check("UPDATE a SET x = replace(x, 'a', 'b')", false);
    }
}
