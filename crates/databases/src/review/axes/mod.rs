//! The five axes on which a statement is judged, each in a file of its own. They say what is so;
//! whether that is good is for rules.

mod blocks;
mod breaks;
mod depends;
mod destroys;
mod inverse;

pub use blocks::{Block, Holds, Lock};
pub use inverse::Kept;

use crate::review::known::Known;
use crate::statement::Statement;
use ripcord_core::schema::{Inverse, Mode, Phase};

/// What one statement does, on five axes, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Axes {
    /// Whose way it stands in.
    pub(crate) blocks: Option<Block>,
    /// Why code written for the schema before fails on the schema after.
    pub(crate) breaks: Option<String>,
    /// What it removes.
    pub(crate) destroys: Vec<String>,
    /// How it is taken back.
    pub(crate) inverse: Inverse,
    /// What in the data could make it fail.
    pub(crate) depends: Option<String>,
    /// When in a release it belongs.
    pub(crate) phase: Phase,
    /// What becomes of what it destroys, or of the statement.
    pub(crate) mode: Option<Mode>,
    /// How what it destroys is kept.
    pub(crate) kept: Option<Kept>,
}

/// Judges a statement by what is known of the schema before it.
pub(crate) fn judge(statement: &Statement, known: &Known, destroy: bool) -> Axes {
    let breaks = breaks::breaks(statement, known);
    let destroys = destroys::destroys(statement, known);
    let phase = if breaks.is_some() {
        Phase::Contract
    } else if statement.is_data() {
        Phase::Data
    } else {
        Phase::Expand
    };
    let asked = destroy && !destroys.is_empty();
    let kept = if asked { None } else { inverse::kept(statement, &destroys) };
    let mode = if asked {
        Some(Mode::Destroy)
    } else if breaks.is_some() {
        Some(Mode::Defer)
    } else {
        kept.as_ref().map(|kept| kept.mode)
    };
    Axes {
        blocks: blocks::blocks(statement, known),
        inverse: inverse::inverse(statement, &destroys, asked),
        depends: depends::depends(statement, known),
        breaks,
        destroys,
        phase,
        mode,
        kept,
    }
}
