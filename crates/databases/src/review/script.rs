//! One script, statement by statement: judged on the axes, put to the rules, and silenced where
//! its author said so.

use crate::formats::{Script, Transaction};
use crate::review::axes::{Axes, Lock, judge};
use crate::review::describe::{describe, shortened};
use crate::review::known::Known;
use crate::review::report::{Finding, ReviewedScript, ReviewedStatement, Silence};
use crate::review::rules::problems::{ANNOTATION, DOWN_LOSES, FileRule, TOPIC};
use crate::review::rules::{At, Level, RULES, Topic};
use crate::statement::{Migrating, Note, Parsed, Statement, TransactionWord, split};
use ripcord_core::schema::Mode;

/// What was found in a script.
pub(super) struct Reviewed {
    pub(super) script: ReviewedScript,
    pub(super) findings: Vec<Finding>,
}

/// Reviews one script.
pub(super) struct Reviewer<'a> {
    script: &'a Script,
    way: Migrating,
    begun: bool,
    heavy: bool,
    statements: Vec<ReviewedStatement>,
    findings: Vec<Finding>,
}

impl<'a> Reviewer<'a> {
    pub(super) fn new(script: &'a Script, way: Migrating) -> Reviewer<'a> {
        let (statements, findings) = (Vec::new(), Vec::new());
        Reviewer { script, way, begun: false, heavy: false, statements, findings }
    }

    /// Goes through all statements; `known` grows with each.
    pub(super) fn review(mut self, parsed: &[Parsed], known: &mut Known) -> Reviewed {
        known.begin();
        let alone = alone(parsed, self.script.transaction);
        for statement in parsed {
            self.statement(statement, known, alone);
        }
        let transaction = self.script.transaction;
        let file = self.script.path.clone();
        let script = ReviewedScript { file, transaction, statements: self.statements };
        Reviewed { script, findings: self.findings }
    }

    fn statement(&mut self, parsed: &Parsed, known: &mut Known, alone: bool) {
        let reason = parsed.notes.iter().find_map(|(_, note)| match note {
            Note::Destroy { reason } => Some(reason.clone()),
            _ => None,
        });
        let first = (self.findings.len(), self.statements.len());
        for does in &parsed.does {
            let mut axes = judge(does, known, reason.is_some());
            axes.mode = asked(parsed).or(axes.mode);
            let heavy = axes.blocks.as_ref().is_some_and(|block| {
                matches!(block.lock, Lock::AccessExclusive | Lock::ShareRowExclusive)
            });
            let at = At {
                statement: does,
                axes: &axes,
                known,
                run: self.script.transaction,
                alone,
                begun: self.begun,
                first_heavy: heavy && !self.heavy,
            };
            let found = self.rules(&at, parsed, reason.as_deref());
            self.heavy |= heavy;
            self.findings.extend(found);
            self.statements.push(reviewed(parsed, does, axes, reason.clone()));
            self.follow(does);
            known.learn(does);
        }
        self.annotations(parsed, first, reason.as_deref());
    }

    fn rules(&self, at: &At<'_>, parsed: &Parsed, reason: Option<&str>) -> Vec<Finding> {
        if self.way == Migrating::Down && !matches!(at.statement, Statement::Unreadable { .. }) {
            return self.down(at, parsed);
        }
        let spoken = RULES.iter().filter_map(|rule| Some((rule, (rule.check)(at)?)));
        let findings = spoken.map(|(rule, found)| {
            let mut level = found.level.unwrap_or(rule.level);
            let mut message = found.message;
            if let (Topic::Destroys, Some(reason)) = (rule.topic, reason) {
                level = level.min(Level::Warning);
                message = format!("{message}; to be destroyed: {reason}");
            }
            Finding {
                rule: rule.name,
                level,
                topic: rule.topic,
                file: self.script.path.clone(),
                line: parsed.line,
                message,
                instead: found.instead,
                statement: shortened(&parsed.text),
                silenced: silence(&parsed.notes, rule.name),
            }
        });
        findings.collect()
    }

    /// A way back is not held to the rules for going forward, but what it takes is said.
    fn down(&self, at: &At<'_>, parsed: &Parsed) -> Vec<Finding> {
        if at.axes.destroys.is_empty() || matches!(at.statement, Statement::Opaque { .. }) {
            return Vec::new();
        }
        let message = format!(
            "taking this back destroys {}, with what was written since",
            at.axes.destroys.join(", ")
        );
        vec![self.finding(DOWN_LOSES, parsed, parsed.line, message)]
    }

    /// What is wrong with the annotations themselves.
    fn annotations(&mut self, parsed: &Parsed, first: (usize, usize), reason: Option<&str>) {
        let destroys = self.statements[first.1..].iter().any(|s| !s.destroys.is_empty());
        let spoken: Vec<&str> = self.findings[first.0..].iter().map(|found| found.rule).collect();
        let mut wrong = Vec::new();
        if let Some(reason) = reason.filter(|_| !destroys && !parsed.does.is_empty()) {
            wrong.push((parsed.line, format!("nothing is destroyed here, so «{reason}» is idle")));
        }
        for (line, note) in &parsed.notes {
            match note {
                Note::Wrong { why } => wrong.push((*line, why.clone())),
                Note::Ignore { rule, .. } if !super::rules().iter().any(|r| r.name == rule) => {
                    let shown: String = rule.chars().take(40).collect();
                    wrong.push((*line, format!("«{shown}» is no rule; see `--rules`")));
                }
                Note::Ignore { rule, .. } => {
                    let about_file = super::rules()
                        .iter()
                        .any(|known| known.name == rule && known.topic == Topic::Files);
                    if !about_file && !spoken.contains(&rule.as_str()) {
                        wrong.push((*line, format!("«{rule}» has nothing to say here; remove it")));
                    }
                }
                Note::Destroy { .. } | Note::Keep | Note::Hide | Note::Defer
                    if parsed.does.is_empty() =>
                {
                    wrong.push((*line, "no statement follows".to_owned()));
                }
                Note::Hide if !parsed.does.iter().all(is_hidden) => {
                    let why = "only DROP TABLE and DROP COLUMN can be hidden, in a statement of \
                               their own";
                    wrong.push((*line, why.to_owned()));
                }
                Note::Destroy { .. } | Note::Keep | Note::Hide | Note::Defer => {}
            }
        }
        for (line, message) in wrong {
            let finding = self.finding(ANNOTATION, parsed, line, message);
            self.findings.push(finding);
        }
    }

    fn finding(&self, rule: FileRule, parsed: &Parsed, line: u32, message: String) -> Finding {
        Finding {
            rule: rule.name,
            level: rule.level,
            topic: TOPIC,
            file: self.script.path.clone(),
            line,
            message,
            instead: None,
            statement: shortened(&parsed.text),
            silenced: silence(&parsed.notes, rule.name),
        }
    }

    fn follow(&mut self, statement: &Statement) {
        if let Statement::Transaction { word } = statement {
            match word {
                TransactionWord::Begin => self.begun = true,
                TransactionWord::Savepoint => {}
                _ => self.begun = false,
            }
        }
    }
}

/// Whether what refuses a transaction is spared one by how the tool sends the script.
fn alone(parsed: &[Parsed], run: Transaction) -> bool {
    let statements: Vec<&Statement> = parsed.iter().flat_map(|p| &p.does).collect();
    match run {
        Transaction::OneMessage => parsed.iter().filter(|p| !p.does.is_empty()).count() <= 1,
        Transaction::Automatic => statements.iter().all(|statement| {
            statement.refuses_transaction() || matches!(statement, Statement::Setting { .. })
        }),
        Transaction::Whole | Transaction::Separate => false,
    }
}

fn reviewed(
    parsed: &Parsed,
    does: &Statement,
    axes: Axes,
    reason: Option<String>,
) -> ReviewedStatement {
    ReviewedStatement {
        line: parsed.line,
        text: shortened(&parsed.text),
        what: describe(does),
        blocks: axes.blocks,
        breaks_old_code: axes.breaks,
        inverse: axes.inverse,
        depends_on_data: axes.depends,
        phase: axes.phase,
        mode: axes.mode,
        kept: axes.kept,
        because: reason.filter(|_| !axes.destroys.is_empty()),
        destroys: axes.destroys,
        read_in_part: parsed.shortened,
    }
}

/// What the annotations say against a rule.
pub(super) fn silence(notes: &[(u32, Note)], rule: &str) -> Option<Silence> {
    notes.iter().find_map(|(_, note)| match note {
        Note::Ignore { rule: named, reason } if named == rule => {
            Some(Silence::Annotation { reason: reason.clone() })
        }
        _ => None,
    })
}

/// All annotations of a script.
pub(super) fn notes(text: &str) -> Vec<(u32, Note)> {
    split(text).into_iter().flat_map(|piece| piece.notes).collect()
}

/// Whether it is dropped as something that can be hidden.
fn is_hidden(does: &Statement) -> bool {
    matches!(does, Statement::DropTable { .. } | Statement::DropColumn { .. })
}

/// What its author wants to become of what a statement destroys.
fn asked(parsed: &Parsed) -> Option<Mode> {
    parsed.notes.iter().find_map(|(_, note)| match note {
        Note::Keep => Some(Mode::Drop),
        Note::Hide => Some(Mode::Hide),
        Note::Defer => Some(Mode::Defer),
        _ => None,
    })
}
