//! The checksums that tools compute of migrations, so that what is applied can be recognised.

use sha2::{Digest, Sha384};

/// Flyway's: CRC-32 over the lines without their ends, as a signed number.
pub(super) fn flyway(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut crc = u32::MAX;
    // A line ends with a line feed, a carriage return, or both.
    for line in text.split(['\n', '\r']) {
        for byte in line.bytes() {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                let low = crc & 1;
                crc = (crc >> 1) ^ (0xEDB8_8320 * low);
            }
        }
    }
    (!crc).cast_signed().to_string()
}

/// sqlx's: SHA-384 over the file.
pub(super) fn sqlx(text: &str) -> String {
    let mut shown = String::with_capacity(96);
    for byte in Sha384::digest(text.as_bytes()) {
        shown.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or_default());
        shown.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or_default());
    }
    shown
}

/// refinery's: `SipHash` 1-3 over name, version and text, as Rust hashes them.
pub(super) fn refinery(name: &str, version: i32, sql: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len() + sql.len() + 6);
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0xff);
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(sql.as_bytes());
    bytes.push(0xff);
    sip13(&bytes).to_string()
}

/// `SipHash` with one compression and three finishing rounds and an empty key.
fn sip13(bytes: &[u8]) -> u64 {
    let mut state: [u64; 4] = [
        0x736f_6d65_7073_6575,
        0x646f_7261_6e64_6f6d,
        0x6c79_6765_6e65_7261,
        0x7465_6462_7974_6573,
    ];
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0_u8; 8];
        word.copy_from_slice(chunk);
        compress(&mut state, u64::from_le_bytes(word));
    }
    let mut last = [0_u8; 8];
    let rest = chunks.remainder();
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len().to_le_bytes()[0];
    compress(&mut state, u64::from_le_bytes(last));
    state[2] ^= 0xff;
    for _ in 0..3 {
        round(&mut state);
    }
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

fn compress(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    round(state);
    state[0] ^= word;
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{DefaultHasher, Hash, Hasher};

    #[test]
    fn flyway_counts_lines_without_ends() {
        // The check value of CRC-32.
        assert_eq!(flyway("123456789"), 0xCBF4_3926_u32.cast_signed().to_string());
        assert_eq!(flyway("1234\n567\r\n89\n"), flyway("123456789"));
        assert_eq!(flyway("\u{feff}123456789"), flyway("123456789"));
        assert_ne!(flyway("12345678 9"), flyway("123456789"));
    }

    #[test]
    fn sqlx_is_sha384() {
        let empty = "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da\
                     274edebfe76f65fbd51ad2f14898b95b";
        assert_eq!(sqlx(""), empty);
    }

    /// The hasher of the standard library is the same function today.
    #[test]
    fn refinery_hashes_as_rust_does() {
        for sql in ["", "x", "select 1;", "select 'ä' from a where b = 12345678"] {
            let mut hasher = DefaultHasher::new();
            "name".hash(&mut hasher);
            3_i32.hash(&mut hasher);
            sql.hash(&mut hasher);
            assert_eq!(refinery("name", 3, sql), hasher.finish().to_string(), "{sql}");
        }
    }
}
