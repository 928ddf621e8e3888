//! Independent uniform draws for splitting traffic. Not for secrets.
//!
//! Each thread has its own generator (`SplitMix64`), so that a draw costs no shared memory. The
//! seed is the system's randomness, by way of the standard library's hasher keys, which are made
//! for exactly this: different in every process and thread.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::thread;

thread_local! {
    static SEED: Cell<u64> = Cell::new(RandomState::new().hash_one(thread::current().id()));
}

/// The next 64 random bits of this thread.
pub(crate) fn bits() -> u64 {
    let seed = SEED.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
    SEED.set(seed);
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A uniform number from zero to `bound`, which is not included.
pub(crate) fn below(bound: u64) -> u64 {
    // The high half of a product is uniform up to an error of bound / 2^64.
    ((u128::from(bits()) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_uniform_enough() {
        let mut hits = [0_u32; 10];
        for _ in 0..100_000 {
            hits[usize::try_from(below(10)).unwrap()] += 1;
        }
        // Six standard deviations of a binomial count are 570.
        assert!(hits.iter().all(|hit| hit.abs_diff(10_000) < 570), "{hits:?}");
    }

    #[test]
    fn threads_draw_different_numbers() {
        let other = thread::spawn(|| [bits(), bits()]).join().unwrap();
        assert_ne!([bits(), bits()], other);
    }
}
