//! Random numbers that are the same on every machine, so that a seed says all.

/// A sequence of them.
pub(super) struct Draws(u64);

impl Draws {
    /// The sequence of a seed.
    pub(super) fn new(seed: u64) -> Draws {
        Draws(seed)
    }

    /// One of many sequences that belong to a seed.
    pub(super) fn of(seed: u64, number: u64) -> Draws {
        Draws(seed.wrapping_add(number.wrapping_mul(0x5851_f42d_4c95_7f2d)))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
