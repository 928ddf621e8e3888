//! A script made ready to run: read, refused if it cannot be run faithfully, and divided into the
//! transactions that its tool would make of it. Pure; nothing is run here.

use crate::formats::Transaction;
use crate::postgres::terms::Terms;
use crate::statement::{Note, Parsed, STACK_BYTES, Statement, TransactionWord, parse, split};
use ripcord_core::schema::Mode;
use std::ops::Range;

/// A script that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    /// What messages call it.
    pub(crate) name: String,
    /// Its statements, those that only begin and end transactions left out.
    pub(crate) steps: Vec<Step>,
    /// Which of them belong together.
    pub(crate) segments: Vec<Segment>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What it is.
    pub(crate) parsed: Parsed,
    /// The rows that follow COPY … FROM STDIN.
    pub(crate) rows: Option<String>,
    /// What becomes of what it destroys.
    pub(crate) way: Way,
}

/// What becomes of what a statement destroys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is copied aside, then the statement runs as written.
    Copy,
    /// It is hidden. `asked` when its author says so of just this statement.
    Hide {
        /// Whether nothing else will do.
        asked: bool,
    },
    /// It is copied aside up to this size, and hidden above.
    Auto {
        /// In bytes, of the tables that it is in.
        bytes_max: u64,
    },
    /// The statement waits.
    Defer,
    /// It is destroyed.
    Destroy {
        /// Why.
        reason: String,
    },
}

/// Statements that become true together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Which.
    pub(crate) steps: Range<usize>,
    /// It is one statement that refuses a transaction.
    pub(crate) alone: bool,
}

/// How a script is divided beyond what it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Division {
    /// Each label that is added to an enum is committed before what follows, which may use it.
    pub(crate) labels_apart: bool,
}

/// Functions that change no rows, whatever else they do.
const NO_ROWS: [&str; 4] = [
    "the function setval",
    "the function pg_sleep",
    "the function lastval",
    "the function gen_random_uuid",
];

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    ///
    /// In words, why it cannot be run as its author meant it.
    pub(crate) fn read(
        name: &str,
        text: &str,
        run: Transaction,
        division: Division,
    ) -> Result<Script, String> {
        let mut steps = Vec::new();
        let mut reader = Reader::new(run, division);
        for parsed in parsed(text)? {
            if matches!(parsed.does.as_slice(), [Statement::CopyRows]) {
                let last: Option<&mut Step> = steps.last_mut();
                if let Some(step) = last {
                    step.rows = Some(parsed.text);
                }
                continue;
            }
            if parsed.does.is_empty() {
                continue;
            }
            let at = steps.len();
            if reader.take(&parsed, at).map_err(|why| format!("line {}: {why}", parsed.line))? {
                let way = noted(&parsed);
                steps.push(Step { parsed, rows: None, way });
            }
        }
        let segments = reader.end(steps.len())?;
        Ok(Script { name: name.to_owned(), steps, segments })
    }

    /// The same under the terms of a run: what no annotation says of a statement, they say.
    pub(crate) fn under(mut self, terms: &Terms) -> Script {
        for step in &mut self.steps {
            let says = |(_, note): &(u32, Note)| {
                matches!(note, Note::Keep | Note::Hide | Note::Defer | Note::Destroy { .. })
            };
            if !step.parsed.notes.iter().any(says) {
                step.way = step.usual(terms);
            }
        }
        self
    }

    /// The same when nothing is put off any more.
    pub(crate) fn at_last(mut self) -> Script {
        for step in self.steps.iter_mut().filter(|step| step.way == Way::Defer) {
            step.way = Way::Copy;
        }
        self
    }

    /// Whether nothing of it can stay when another part fails.
    pub(crate) fn is_whole(&self) -> bool {
        self.segments.len() <= 1 && self.segments.iter().all(|segment| !segment.alone)
    }

    /// Whether it has labels of enums to be committed apart.
    pub(crate) fn adds_labels(&self) -> bool {
        self.steps.iter().any(Step::adds_label)
    }
}

impl Step {
    /// What its author wants destroyed, and why.
    pub(crate) fn reason(&self) -> Option<&str> {
        match &self.way {
            Way::Destroy { reason } => Some(reason.as_str()),
            _ => None,
        }
    }

    /// What the terms make of it.
    fn usual(&self, terms: &Terms) -> Way {
        match (terms.mode, terms.hide_above_bytes) {
            (Mode::Drop, Some(bytes_max)) if self.drops_only() => Way::Auto { bytes_max },
            (Mode::Hide, _) if self.drops_only() => Way::Hide { asked: false },
            (Mode::Defer, _) if self.removes_only() => Way::Defer,
            (Mode::Destroy, _) if self.loses() => Way::Destroy { reason: terms.reason.clone() },
            _ => Way::Copy,
        }
    }

    /// Whether anything may be lost by it.
    fn loses(&self) -> bool {
        use Statement as S;
        let loses = |does: &S| {
            matches!(
                does,
                S::Update { .. } | S::Delete { .. } | S::Merge { .. } | S::Truncate { .. }
            )
        };
        self.may_destroy() || self.parsed.does.iter().any(loses)
    }

    /// Whether all it does is to drop tables and columns, which is what can be hidden.
    pub(crate) fn drops_only(&self) -> bool {
        use Statement as S;
        let drops = |does: &S| matches!(does, S::DropTable { .. } | S::DropColumn { .. });
        !self.parsed.does.is_empty() && self.parsed.does.iter().all(drops)
    }

    /// Whether all it does is to remove things that old code may still use.
    fn removes_only(&self) -> bool {
        use Statement as S;
        let removes = |does: &S| {
            matches!(
                does,
                S::DropTable { .. }
                    | S::DropColumn { .. }
                    | S::DropSchema { .. }
                    | S::DropType { .. }
                    | S::DropSequence { .. }
                    | S::DropMaterializedView { .. }
                    | S::DropDefinition { .. }
            )
        };
        !self.parsed.does.is_empty() && self.parsed.does.iter().all(removes)
    }

    /// Whether it writes rows, as far as can be seen; TRUNCATE is none of these.
    pub(crate) fn writes(&self) -> bool {
        let writes = |does: &Statement| {
            use Statement as S;
            matches!(does, S::Insert { .. } | S::Update { .. } | S::Delete { .. } | S::Merge { .. })
        };
        self.parsed.does.iter().any(writes)
    }

    /// Whether it may do what cannot be seen.
    pub(crate) fn is_opaque(&self) -> bool {
        self.parsed.does.iter().any(|does| match does {
            Statement::Opaque { what } => !NO_ROWS.contains(&what.as_str()),
            Statement::Unreadable { .. } => true,
            _ => false,
        })
    }

    /// Whether tables, columns or sequences may be missing after it.
    pub(crate) fn may_destroy(&self) -> bool {
        use Statement as S;
        self.is_opaque()
            || self.parsed.does.iter().any(|does| {
                matches!(
                    does,
                    S::DropTable { .. }
                        | S::DropColumn { .. }
                        | S::DropSchema { .. }
                        | S::DropType { .. }
                        | S::DropSequence { .. }
                        | S::DropExtension { .. }
                        | S::DropWholesale { .. }
                        | S::DropMaterializedView { .. }
                        | S::DropDefinition { cascade: true, .. }
                        | S::DropConstraint { cascade: true, .. }
                        | S::AlterType { .. }
                        | S::AlterComposite { .. }
                        | S::Identity { adds: false, .. }
                        | S::TableOption { .. }
                        | S::Alter { .. }
                )
            })
    }

    /// Whether it only sets how the session works.
    pub(crate) fn sets(&self) -> bool {
        self.parsed.does.iter().all(|does| matches!(does, Statement::Setting { .. }))
    }

    fn adds_label(&self) -> bool {
        self.parsed.does.iter().any(|does| matches!(does, Statement::AddEnumValue { .. }))
    }

    /// The statement for people: in one line, shortened.
    pub(crate) fn shown(&self) -> String {
        let line = self.parsed.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = line.chars().take(SHOWN_MAX).collect();
        if shown.len() < line.len() { format!("{shown}…") } else { shown }
    }
}

/// What its author wants to become of what a statement destroys.
fn noted(parsed: &Parsed) -> Way {
    let way = |(_, note): &(u32, Note)| match note {
        Note::Destroy { reason } => Some(Way::Destroy { reason: reason.clone() }),
        Note::Hide => Some(Way::Hide { asked: true }),
        Note::Defer => Some(Way::Defer),
        Note::Keep | Note::Ignore { .. } | Note::Wrong { .. } => None,
    };
    parsed.notes.iter().find_map(way).unwrap_or(Way::Copy)
}

/// How much of a statement is shown.
const SHOWN_MAX: usize = 160;

/// Reads on a thread whose stack is deep enough for the grammar.
fn parsed(text: &str) -> Result<Vec<Parsed>, String> {
    std::thread::scope(|scope| {
        let work = || split(text).iter().map(parse).collect::<Vec<_>>();
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let read = thread.ok().and_then(|thread| thread.join().ok());
        read.ok_or_else(|| "there was no memory left to read it".to_owned())
    })
}

/// Divides a script as it is read.
struct Reader {
    run: Transaction,
    division: Division,
    segments: Vec<Segment>,
    /// The first statement of what is open, and whether the script opened it itself.
    open: Option<(usize, bool)>,
}

impl Reader {
    fn new(run: Transaction, division: Division) -> Reader {
        Reader { run, division, segments: Vec::new(), open: None }
    }

    /// Takes in a statement. False when it is none of those that are run.
    fn take(&mut self, parsed: &Parsed, at: usize) -> Result<bool, String> {
        for does in &parsed.does {
            match does {
                Statement::MetaCommand { .. } => {
                    return Err("this is a command for psql, not for the server".to_owned());
                }
                Statement::Unreadable { why } if why.ends_with("is never closed") => {
                    return Err(why.clone());
                }
                Statement::Transaction { word } => return self.control(*word, parsed, at),
                _ => {}
            }
        }
        let own = matches!(self.open, Some((_, true)));
        let alone = parsed.does.iter().any(Statement::refuses_transaction);
        let label = parsed.does.iter().any(|does| matches!(does, Statement::AddEnumValue { .. }));
        if alone && own {
            return Err("this cannot run between BEGIN and COMMIT".to_owned());
        }
        let apart = alone
            || !own && (self.run == Transaction::Separate || label && self.division.labels_apart);
        if apart {
            self.close(at);
            self.segments.push(Segment { steps: at..at + 1, alone });
        } else if self.open.is_none() {
            self.open = Some((at, false));
        }
        Ok(true)
    }

    fn control(
        &mut self,
        word: TransactionWord,
        parsed: &Parsed,
        at: usize,
    ) -> Result<bool, String> {
        let own = matches!(self.open, Some((_, true)));
        match word {
            TransactionWord::Begin if own => Err("BEGIN inside of BEGIN".to_owned()),
            TransactionWord::Begin => {
                self.close(at);
                self.open = Some((at, true));
                Ok(false)
            }
            TransactionWord::Commit if own => {
                self.close(at);
                Ok(false)
            }
            TransactionWord::Commit => {
                Err("COMMIT without BEGIN: what it would commit depends on the tool".to_owned())
            }
            TransactionWord::Savepoint
                if !parsed.text.to_ascii_lowercase().starts_with("rollback") =>
            {
                self.open.get_or_insert((at, false));
                Ok(true)
            }
            _ => Err("what is rolled back or prepared by the script itself cannot be followed; \
                      leave it out"
                .to_owned()),
        }
    }

    /// Ends what is open before a statement.
    fn close(&mut self, at: usize) {
        if let Some((from, _)) = self.open.take().filter(|(from, _)| *from < at) {
            self.segments.push(Segment { steps: from..at, alone: false });
        }
    }

    fn end(mut self, at: usize) -> Result<Vec<Segment>, String> {
        if matches!(self.open, Some((_, true))) {
            return Err("a transaction is begun and never committed".to_owned());
        }
        self.close(at);
        Ok(self.segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, run: Transaction, apart: bool, expected: &str) {
        let division = Division { labels_apart: apart };
        let found = match Script::read("x", text, run, division) {
            Err(why) => why,
            Ok(script) => {
                let shown = |segment: &Segment| {
                    let mark = if segment.alone { "!" } else { "" };
                    format!("{mark}{}..{}", segment.steps.start, segment.steps.end)
                };
                script.segments.iter().map(shown).collect::<Vec<_>>().join(" ")
            }
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn divides_as_the_tool_does() {
        use Transaction::{Separate, Whole};
        check("", Whole, false, "");
        check("SELECT 1; SELECT 2;", Whole, false, "0..2");
        check("SELECT 1; SELECT 2;", Separate, false, "0..1 1..2");
        check("BEGIN; SELECT 1; SELECT 2; COMMIT;", Whole, false, "0..2");
        check("SET a = 1; BEGIN; SELECT 1; COMMIT; SELECT 2", Separate, false, "0..1 1..2 2..3");
        check(
            "SELECT 1; CREATE INDEX CONCURRENTLY i ON t (a); SELECT 2",
            Whole,
            false,
            "0..1 !1..2 2..3",
        );
        check("ALTER TYPE m ADD VALUE 'x'; SELECT 1", Whole, false, "0..2");
        check("ALTER TYPE m ADD VALUE 'x'; SELECT 1", Whole, true, "0..1 1..2");
        check("COPY a FROM stdin;\n1\n\\.\nSELECT 1", Whole, false, "0..2");
        check("SAVEPOINT a; SELECT 1; RELEASE a", Whole, false, "0..3");
    }

    #[test]
    fn refuses_what_cannot_be_followed() {
        use Transaction::Whole;
        check(
            "\\i other.sql",
            Whole,
            false,
            "line 1: this is a command for psql, not for the server",
        );
        check(
            "SELECT 1;\nCOMMIT",
            Whole,
            false,
            "line 2: COMMIT without BEGIN: what it would commit depends on the tool",
        );
        check("BEGIN; SELECT 1", Whole, false, "a transaction is begun and never committed");
        check("BEGIN;\nBEGIN", Whole, false, "line 2: BEGIN inside of BEGIN");
        check(
            "BEGIN; VACUUM; COMMIT",
            Whole,
            false,
            "line 1: this cannot run between BEGIN and COMMIT",
        );
        check(
            "SAVEPOINT a; ROLLBACK TO a",
            Whole,
            false,
            "line 1: what is rolled back or prepared by the script itself cannot be followed; leave it out",
        );
        check("SELECT 'a", Whole, false, "line 1: a quoted text is never closed");
    }

    #[test]
    fn rows_follow_their_statement() {
        let script = Script::read(
            "x",
            "COPY a FROM stdin;\n1\t\n2\tb\n\\.\n",
            Transaction::Whole,
            Division::default(),
        );
        assert_eq!(script.unwrap().steps[0].rows.as_deref(), Some("1\t\n2\tb"));
    }
}
