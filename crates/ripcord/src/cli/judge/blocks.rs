//! Where a verdict changed. To say all that is known takes a hundred times as long as to hear a
//! request, so it is said after each block of requests, and only where that is something else
//! than before, the block is gone through again, request by request.

use crate::cli::judge::stream::{Heard, Place};
use ripcord_core::analysis::{Assessment, Judge, Tick, Verdict};

/// How many requests a block has.
const REQUESTS: usize = 64;

/// The requests since the last time that all was said.
pub(super) struct Block {
    /// The judge as it was before them.
    before: Judge,
    heard: Vec<Heard>,
    /// What followed then.
    verdict: Option<&'static str>,
}

/// A verdict that was another one after this request than before it.
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) said: Assessment,
}

impl Block {
    pub(super) fn new(judge: &Judge) -> Block {
        Block { before: judge.clone(), heard: Vec::with_capacity(REQUESTS), verdict: None }
    }

    /// The judge has learned something beside requests, while the block was empty.
    pub(super) fn renew(&mut self, judge: &Judge) {
        self.before = judge.clone();
    }

    /// Adds a request; whether the block is full now.
    pub(super) fn is_full(&mut self, heard: Heard) -> bool {
        self.heard.push(heard);
        self.heard.len() >= REQUESTS
    }

    /// Begins a new block after this one; `judge` has heard it. Tells of each change in it.
    pub(super) fn close(&mut self, judge: &Judge, mut tell: impl FnMut(Found)) {
        let Some(last) = self.heard.last() else { return };
        let now = name(&judge.assess(last.at_ms).verdict);
        if self.verdict != Some(now) {
            let mut tick = Tick::default();
            for heard in &self.heard {
                heard.fill(&mut tick);
                // It was taken before.
                drop(self.before.tick(&tick));
                let said = self.before.assess(heard.at_ms);
                let verdict = name(&said.verdict);
                if self.verdict.replace(verdict) != Some(verdict) {
                    tell(Found { place: heard.place, said });
                }
            }
        }
        self.heard.clear();
        self.before = judge.clone();
    }
}

/// A verdict in a word.
pub(super) fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Continue => "continue",
        Verdict::Wait { .. } => "wait",
        Verdict::GoBack { .. } => "go_back",
        Verdict::Undecided { .. } => "undecided",
    }
}
