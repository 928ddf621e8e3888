//! Making a change true or untrue, exactly once: fence, marker, change and records in one
//! transaction, so that a lost answer is settled by asking again.

use crate::migrations::up_file;
use crate::sqlite::catalogue::Catalogue;
use crate::sqlite::connection::{Session, Watch};
use crate::sqlite::faults::Faults;
use crate::sqlite::history;
use crate::sqlite::integrity::{orphans, told};
use crate::sqlite::kept::{Kept, add_counts};
use crate::sqlite::records;
use crate::sqlite::statement::{Script, Statement};
use crate::sqlite::transition::Passed;
use crate::sqlite::trouble::{Result, Trouble};
use ripcord_core::model::{Digest, Fence};
use ripcord_core::run::Receipt;
use ripcord_core::schema::{Counted, Direction, SchemaChange, Wanted};

/// One request, with what it needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) change: &'a SchemaChange,
    pub(crate) wanted: Wanted,
    pub(crate) fence: Fence,
    pub(crate) environment: &'a str,
    pub(crate) faults: &'a Faults,
}

/// Which way rows and schema go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Apply,
    TakeBack,
    Redo,
}

/// Ensures it.
pub(crate) fn ensure(session: &Session, watch: &Watch, request: &Request<'_>) -> Result<Receipt> {
    let enforce = enforces_references(session, request)?;
    let switch = if enforce { "ON" } else { "OFF" };
    session.connection.execute_batch(&format!("PRAGMA foreign_keys = {switch}"))?;
    request.faults.limit_pages(session)?;
    session.begin(watch)?;
    records::prepare(&session.connection, request.environment)?;
    records::pass_fence(&session.connection, request.fence)?;
    let id = &request.change.id;
    let receipt = match (request.wanted, records::marker(&session.connection, id)?) {
        (Wanted::Made, Some(Wanted::Made)) => Receipt::of("the change was already made"),
        (Wanted::Unmade, Some(Wanted::Unmade)) => Receipt::of("the change was already taken back"),
        (Wanted::Made, Some(Wanted::Unmade)) => {
            return Err(Trouble::refuse(format!(
                "change {id} was taken back and cannot be made late; plan it anew"
            )));
        }
        (Wanted::Unmade, None) => {
            records::mark(&session.connection, id, Wanted::Unmade, request.fence)?;
            Receipt::of("the change had not been made, and no longer can be")
        }
        (wanted, _) => {
            request.faults.mark_apart(session, request)?;
            let receipt = change(session, request, enforce)?;
            records::mark(&session.connection, id, wanted, request.fence)?;
            receipt
        }
    };
    request.faults.before_commit()?;
    session.commit(watch)?;
    request.faults.after_commit()?;
    Ok(receipt)
}

fn change(session: &Session, request: &Request<'_>, enforce: bool) -> Result<Receipt> {
    let change = request.change;
    let course = match (change.direction, request.wanted) {
        (Direction::Up, Wanted::Made) => Course::Apply,
        (Direction::Up, Wanted::Unmade) | (Direction::Down, Wanted::Made) => Course::TakeBack,
        (Direction::Down, Wanted::Unmade) => Course::Redo,
    };
    let (from, to) = match request.wanted {
        Wanted::Made => (&change.from, &change.to),
        Wanted::Unmade => (&change.to, &change.from),
    };
    expect(session, from, "the schema was changed by somebody else since the plan was made")?;
    let before = if enforce { None } else { Some(orphans(&session.connection)?) };
    let mut outcome = Outcome::default();
    match course {
        Course::Apply => {
            for script in &change.scripts {
                outcome.take(course, history::apply(session, script)?);
            }
        }
        Course::TakeBack => {
            for script in change.scripts.iter().rev() {
                outcome.take(course, history::take_back(session, script)?);
            }
        }
        Course::Redo => {
            for script in &change.scripts {
                outcome.take(course, history::redo(session, script)?);
            }
        }
    }
    expect(session, to, "the change leads to another schema than rehearsed")?;
    let destroyed: u64 = outcome.receipt.gone.iter().map(|gone| gone.count).sum();
    if course == Course::Apply && destroyed > change.gone_max {
        return Err(Trouble::refuse(format!(
            "the change would destroy {destroyed} rows and values, more than the {} that were \
             accepted; nothing was changed, plan it anew",
            change.gone_max
        )));
    }
    if let Some(before) = before {
        let new: Vec<String> = orphans(&session.connection)?.difference(&before).cloned().collect();
        if !new.is_empty() && course == Course::Apply {
            return Err(Trouble::refuse(format!(
                "the change leaves rows that refer to nothing: {}",
                told(&new)
            )));
        }
        outcome.note(&new);
    }
    Ok(outcome.done(course, change.scripts.len()))
}

fn expect(session: &Session, digest: &Digest, why: &str) -> Result<()> {
    let found = Catalogue::read(&session.connection)?.digest();
    if &found == digest {
        return Ok(());
    }
    Err(Trouble::refuse(format!(
        "{why}: it is {} instead of {}; nothing was changed, plan it anew",
        found.short(),
        digest.short()
    )))
}

/// Whether foreign keys act while scripts run: they do, as in the application, unless a table is
/// dropped, which would delete or refuse what the author is about to make anew. All references
/// are then checked at the end instead.
fn enforces_references(session: &Session, request: &Request<'_>) -> Result<bool> {
    let change = request.change;
    if change.direction != Direction::Up || request.wanted != Wanted::Made {
        return Ok(false);
    }
    for script in &change.scripts {
        let parsed = Script::parse(&up_file(&script.migration), &script.up)?;
        let known = records::find(&session.connection, script.migration.version)?.is_some();
        if known || !acts_on_references(&parsed) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a script can run with foreign keys in force.
pub(crate) fn acts_on_references(script: &Script) -> bool {
    let drops = |s: &Statement| matches!(s, Statement::DropTable { .. } | Statement::Opaque);
    !script.any(drops)
}

/// What several passages did together.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) receipt: Receipt,
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    fn take(&mut self, course: Course, passed: Passed) {
        let hidden = |kept: &Kept| kept.out_of_sight();
        match course {
            Course::Apply | Course::Redo => add_counts(
                &mut self.receipt.kept,
                passed.kept.iter().flat_map(Kept::counted).collect::<Vec<_>>(),
            ),
            Course::TakeBack => add_counts(
                &mut self.receipt.hidden,
                passed.kept.iter().flat_map(hidden).collect::<Vec<_>>(),
            ),
        }
        add_counts(&mut self.receipt.gone, passed.gone);
        add_counts(&mut self.receipt.restored, passed.merged.restored);
        let list = |counts: &[Counted]| {
            counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        if !passed.merged.users.is_empty() {
            self.notes.push(format!("left as users wrote since: {}", list(&passed.merged.users)));
        }
        if !passed.merged.held_back.is_empty() {
            let held = list(&passed.merged.held_back);
            self.notes.push(format!("kept aside, since there is no place for them: {held}"));
        }
        self.notes.extend(passed.merged.without_value);
    }

    fn note(&mut self, orphans: &[String]) {
        if !orphans.is_empty() {
            self.notes.push(format!("rows that refer to nothing now: {}", told(orphans)));
        }
    }

    fn done(mut self, course: Course, count: usize) -> Receipt {
        let verb = match course {
            Course::Apply => "applied",
            Course::TakeBack => "took back",
            Course::Redo => "applied again",
        };
        let plural = if count == 1 { "" } else { "s" };
        self.receipt.what = format!("{verb} {count} migration{plural}");
        for note in &self.notes {
            self.receipt.what.push_str("; ");
            self.receipt.what.push_str(note);
        }
        self.receipt
    }
}
