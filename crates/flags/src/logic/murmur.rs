//! `MurmurHash3` for 32 bits, seed 0: how users are spread over buckets.

/// The hash of some bytes.
pub(crate) fn murmur3(bytes: &[u8]) -> u32 {
    let mut hash: u32 = 0;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        hash ^= mixed(u32::from_le_bytes(*word));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        hash ^= mixed(last);
    }
    // The definition counts the length in 32 bits.
    hash ^= u32::try_from(bytes.len() & 0xffff_ffff).unwrap_or(0);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

fn mixed(word: u32) -> u32 {
    word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors() {
        let check = |text: &str, expected: u32| assert_eq!(murmur3(text.as_bytes()), expected);
        check("", 0);
        check("hello", 0x248b_fa47);
        check("foo", 0xf6a5_c420);
        check("hello, world", 0x149b_bb7f);
        check("The quick brown fox jumps over the lazy dog", 0x2e4f_f723);
        check("flag-user", 2_410_693_464);
    }
}
