//! Lines that stand in a record twice. A request that is counted twice is evidence twice, so a
//! record in which many are is refused. They cannot just be left out: among requests that are
//! alike, those of stable are more, so more of stable's would go.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};

/// How far apart the same line is found.
const NEAR: usize = 8_192;

/// From which part of a record on, and how many, they are too many: by chance a few may be alike.
const PART: u64 = 100;
const FEW: u64 = 10;

/// What lines were read lately.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    order: VecDeque<u64>,
    known: HashSet<u64>,
    pub(super) count: u64,
    /// The first line that repeats another.
    pub(super) first: Option<u64>,
}

impl Repeats {
    /// Reads a line.
    pub(super) fn read(&mut self, number: u64, line: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write(line.trim_ascii_end());
        let key = hasher.finish();
        if !self.known.insert(key) {
            self.count += 1;
            self.first.get_or_insert(number);
            return;
        }
        self.order.push_back(key);
        if self.order.len() > NEAR
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether there are too many among so many lines.
    pub(super) fn too_many(&self, lines: u64) -> bool {
        self.count > FEW && self.count > lines / PART
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_may_be_alike() {
        let mut repeats = Repeats::default();
        for number in 1..=10_000_u64 {
            // Every thousandth is as the one before it.
            let text = (number - u64::from(number.is_multiple_of(1_000))).to_string();
            repeats.read(number, text.as_bytes());
        }
        assert_eq!((repeats.count, repeats.first), (10, Some(1_000)));
        assert!(!repeats.too_many(10_000));
        let mut repeats = Repeats::default();
        for number in 1..=1_000_u64 {
            repeats.read(number, (number / 2).to_string().as_bytes());
        }
        assert!(repeats.too_many(1_000));
        assert!(repeats.order.len() <= NEAR && repeats.known.len() <= NEAR);
    }
}
