//! Values as deterministic CBOR (RFC 8949, 4.2.1): one sequence of bytes for each value, in every
//! language. Only what JSON has is written.

use crate::logic::{Value, number};
use serde_json::Value as Json;

/// The bytes of a value.
pub(crate) fn encode(value: &Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    write(&mut bytes, value);
    bytes
}

/// The bytes of a list of two texts.
pub(crate) fn encode_pair(first: &str, second: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(first.len() + second.len() + 11);
    head(&mut bytes, LIST, 2);
    text(&mut bytes, first);
    text(&mut bytes, second);
    bytes
}

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;

fn write(bytes: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => bytes.push(NULL),
        Value::Bool(value) => bytes.push(if *value { TRUE } else { FALSE }),
        Value::Number(number) => double(bytes, *number),
        Value::Text(value) => text(bytes, value),
        Value::Json(Json::Number(number)) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => head(bytes, UNSIGNED, number),
            (None, Some(number)) => whole(bytes, number),
            (None, None) => double(bytes, number.as_f64().unwrap_or(0.0)),
        },
        Value::Json(Json::Object(members)) => {
            head(bytes, MAP, members.len() as u64);
            let mut members: Vec<_> = members.iter().collect();
            // The order of the encoded names: shorter ones first, since their length stands ahead.
            members.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
            for (key, member) in members {
                text(bytes, key);
                write(bytes, &Value::from(member));
            }
        }
        Value::Json(_) | Value::List(_) => {
            head(bytes, LIST, value.len() as u64);
            (0..value.len()).for_each(|at| write(bytes, &value.at(at)));
        }
    }
}

/// What a number begins with: its kind in three bits, and its size in as few bytes as hold it.
#[expect(clippy::cast_possible_truncation, reason = "each arm holds only what fits")]
fn head(bytes: &mut Vec<u8>, kind: u8, number: u64) {
    let kind = kind << 5;
    match number {
        0..=23 => bytes.push(kind | number as u8),
        24..=0xff => bytes.extend([kind | 0x18, number as u8]),
        0x100..=0xffff => {
            bytes.push(kind | 0x19);
            bytes.extend((number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            bytes.push(kind | 0x1a);
            bytes.extend((number as u32).to_be_bytes());
        }
        _ => {
            bytes.push(kind | 0x1b);
            bytes.extend(number.to_be_bytes());
        }
    }
}

fn text(bytes: &mut Vec<u8>, value: &str) {
    head(bytes, TEXT, value.len() as u64);
    bytes.extend(value.as_bytes());
}

fn whole(bytes: &mut Vec<u8>, number: i64) {
    match u64::try_from(number) {
        Ok(number) => head(bytes, UNSIGNED, number),
        Err(_) => head(bytes, NEGATIVE, number.unsigned_abs() - 1),
    }
}

/// A double: as a whole number where it is one of 64 bits, else in the fewest bytes that hold it.
fn double(bytes: &mut Vec<u8>, number: f64) {
    /// 2 to the 63rd and 64th.
    const SIGNED_END: f64 = 9_223_372_036_854_775_808.0;
    const UNSIGNED_END: f64 = 18_446_744_073_709_551_616.0;
    if let Some(exact) = number::whole(number) {
        return whole(bytes, exact);
    }
    if number.fract() == 0.0 && (-SIGNED_END..UNSIGNED_END).contains(&number) {
        return large(bytes, number);
    }
    if let Some(half) = half(number) {
        bytes.push(0xf9);
        bytes.extend(half.to_be_bytes());
        return;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is compared with what it was")]
    let single = number as f32;
    #[expect(clippy::float_cmp, reason = "exactly this is the question")]
    if f64::from(single) == number {
        bytes.push(0xfa);
        bytes.extend(single.to_be_bytes());
    } else {
        bytes.push(0xfb);
        bytes.extend(number.to_be_bytes());
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range was checked"
)]
fn large(bytes: &mut Vec<u8>, number: f64) {
    if number < 0.0 { whole(bytes, number as i64) } else { head(bytes, UNSIGNED, number as u64) }
}

/// The number in 16 bits, where they hold it exactly.
fn half(number: f64) -> Option<u16> {
    let bits = number.to_bits();
    let sign = u16::from(bits >> 63 == 1) << 15;
    let exponent = i32::try_from(bits >> 52 & 0x7ff).ok()? - 1023;
    let mantissa = bits & 0xf_ffff_ffff_ffff;
    if number == 0.0 {
        return Some(sign);
    }
    // Normal numbers keep ten bits of the mantissa; smaller ones fewer, with the first bit spelt.
    let (field, dropped, mantissa) = match exponent {
        -14..=15 => (u16::try_from(exponent + 15).ok()?, 42, mantissa),
        -24..=-15 => (0, 28 - exponent, mantissa | 1 << 52),
        _ => return None,
    };
    if mantissa & ((1 << dropped) - 1) != 0 {
        return None;
    }
    let mantissa = u16::try_from(mantissa >> dropped).ok()?;
    Some(sign | field << 10 | mantissa)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(json: &Json, expected: &str) {
        let bytes = encode(&Value::from(json));
        let found: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let found = found.concat();
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn examples_of_the_standard() {
        // Appendix A of RFC 8949; floating numbers that are whole are written as whole ones.
        check(&json!(0), "00");
        check(&json!(23), "17");
        check(&json!(24), "1818");
        check(&json!(1000), "1903e8");
        check(&json!(1_000_000), "1a000f4240");
        check(&json!(1_000_000_000_000_u64), "1b000000e8d4a51000");
        check(&json!(18_446_744_073_709_551_615_u64), "1bffffffffffffffff");
        check(&json!(-1), "20");
        check(&json!(-100), "3863");
        check(&json!(-1000), "3903e7");
        check(&json!(1.1), "fb3ff199999999999a");
        check(&json!(1.5), "f93e00");
        check(&json!(5.960_464_477_539_063e-8), "f90001");
        check(&json!(0.000_061_035_156_25), "f90400");
        check(&json!(0.333_251_953_125), "f93555");
        check(&json!(-4.1), "fbc010666666666666");
        check(&json!(1.0e300), "fb7e37e43c8800759c");
        check(&json!(3.402_823_466_385_288_6e38), "fa7f7fffff");
        check(&json!(false), "f4");
        check(&json!(null), "f6");
        check(&json!("IETF"), "6449455446");
        check(&json!("\u{fc}"), "62c3bc");
        check(&json!("\u{10151}"), "64f0908591");
        check(&json!([]), "80");
        check(&json!([1, [2, 3], [4, 5]]), "8301820203820405");
        check(&json!({"a": 1, "b": [2, 3]}), "a26161016162820203");
        check(&json!(-0.0), "00");
        check(&json!(2.0), "02");
        check(&json!({"z": 1, "aa": 2}), "a2617a0162616102");
        check(&json!(-9_223_372_036_854_775_808_i64), "3b7fffffffffffffff");
        check(&json!(1e19), "1b8ac7230489e80000");
        check(&json!(1e20), "fb4415af1d78b58c40");
    }

    #[test]
    fn halves_are_exact() {
        // Every number of 16 bits is found again; its neighbours in 64 bits have no half.
        for bits in 0..0x7c00_u16 {
            let exponent = i32::from(bits >> 10);
            let mantissa = f64::from(bits & 0x3ff) / 1024.0;
            let number = if exponent == 0 {
                mantissa * 2_f64.powi(-14)
            } else {
                (1.0 + mantissa) * 2_f64.powi(exponent - 15)
            };
            assert_eq!(half(number), Some(bits), "{number}");
            assert_eq!(half(-number), Some(bits | 0x8000), "{number}");
            assert_eq!(half(f64::from_bits(number.to_bits() + 1)), None, "{number}");
        }
        assert_eq!(half(65_536.0), None);
        assert_eq!(half(2_f64.powi(-25)), None);
    }
}
