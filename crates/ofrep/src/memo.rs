//! Answers to bulk questions that were asked a moment ago in the same words. One document, one
//! second (rules may look at the time), the same bytes: then the same answer.

use crate::counts::Count;
use bytes::Bytes;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// How many answers are remembered.
const PLACES: usize = 256;
/// The largest answer that is remembered; with the places it bounds the memory.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// The largest question that is remembered.
const QUESTION_BYTES_MAX: usize = 16 << 10;

/// The remembered answers of one document.
pub(crate) struct Memo {
    hash: RandomState,
    places: Box<[Mutex<Option<Entry>>]>,
}

struct Entry {
    question: Bytes,
    second: i64,
    flags: Arc<BulkFlags>,
}

/// All flags as one answer tells them.
pub(crate) struct BulkFlags {
    /// The answer up to the last element.
    pub(crate) json: Bytes,
    /// A strong hash of them.
    pub(crate) hash: [u8; 32],
    /// What was given, to be counted.
    pub(crate) given: Vec<Arc<Count>>,
    /// How often it was given and not yet counted. Adding to each count every time would make
    /// the cores fight over them.
    uncounted: AtomicU64,
}

impl BulkFlags {
    pub(crate) fn new(json: Bytes, hash: [u8; 32], given: Vec<Arc<Count>>) -> BulkFlags {
        BulkFlags { json, hash, given, uncounted: AtomicU64::new(0) }
    }

    /// Notes that it was given once more.
    pub(crate) fn count(&self) {
        self.uncounted.fetch_add(1, Relaxed);
    }

    fn settle(&self) {
        let times = self.uncounted.swap(0, Relaxed);
        if times > 0 {
            for count in &self.given {
                count.bulk.fetch_add(times, Relaxed);
            }
        }
    }
}

impl Drop for BulkFlags {
    fn drop(&mut self) {
        self.settle();
    }
}

impl Memo {
    pub(crate) fn new() -> Memo {
        let places = (0..PLACES).map(|_| Mutex::new(None)).collect();
        Memo { hash: RandomState::new(), places }
    }

    /// The answer to this question, if it was given in this second.
    pub(crate) fn get(&self, question: &Bytes, second: i64) -> Option<Arc<BulkFlags>> {
        let place = self.place(question).lock().unwrap_or_else(PoisonError::into_inner);
        let entry = place.as_ref()?;
        (entry.second == second && entry.question == question).then(|| Arc::clone(&entry.flags))
    }

    pub(crate) fn put(&self, question: &Bytes, second: i64, flags: &Arc<BulkFlags>) {
        if question.len() > QUESTION_BYTES_MAX || flags.json.len() > ANSWER_BYTES_MAX {
            return;
        }
        let entry = Entry {
            // Copied, because it may be a small part of a large read.
            question: Bytes::copy_from_slice(question),
            second,
            flags: Arc::clone(flags),
        };
        *self.place(question).lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
    }

    /// Counts all that was given and not yet counted.
    pub(crate) fn settle(&self) {
        for place in &self.places {
            if let Some(entry) = &*place.lock().unwrap_or_else(PoisonError::into_inner) {
                entry.flags.settle();
            }
        }
    }

    fn place(&self, question: &Bytes) -> &Mutex<Option<Entry>> {
        let hash = self.hash.hash_one(&question[..]);
        // The remainder is below the number of places, so it fits.
        &self.places[usize::try_from(hash % PLACES as u64).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_in_the_same_second() {
        let memo = Memo::new();
        let question = Bytes::from_static(b"{}");
        let count = Arc::new(Count::default());
        let flags = BulkFlags::new(Bytes::from_static(b"x"), [0; 32], vec![Arc::clone(&count)]);
        let flags = Arc::new(flags);
        assert!(memo.get(&question, 1).is_none());
        memo.put(&question, 1, &flags);
        assert!(memo.get(&question, 1).is_some());
        assert!(memo.get(&question, 2).is_none());
        assert!(memo.get(&Bytes::from_static(b"{ }"), 1).is_none());
        flags.count();
        flags.count();
        memo.settle();
        assert_eq!(count.bulk.load(Relaxed), 2);
        flags.count();
        drop((memo, flags));
        assert_eq!(count.bulk.load(Relaxed), 3, "what is forgotten is counted first");
    }

    #[test]
    fn what_is_large_is_not_kept() {
        let memo = Memo::new();
        let large = Bytes::from(vec![b' '; QUESTION_BYTES_MAX + 1]);
        let flags = Arc::new(BulkFlags::new(Bytes::new(), [0; 32], Vec::new()));
        memo.put(&large, 1, &flags);
        assert!(memo.get(&large, 1).is_none());
    }
}
