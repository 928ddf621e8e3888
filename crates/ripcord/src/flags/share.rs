//! Shares of users, as people write them.

use crate::failure::{Code, Failure};

/// `12.5%` in hundredths of a percent.
pub(crate) fn hundredths(text: &str) -> Result<u32, Failure> {
    let wrong = || {
        let shown: String = text.chars().flat_map(char::escape_default).take(20).collect();
        Failure::new(Code::Usage, format!("`{shown}` is not a share"))
            .hint("a share is a percentage between 0% and 100%, with two decimals at most")
    };
    let number = text.strip_suffix('%').unwrap_or(text);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || part.len() > 2 || !digits(part) {
        return Err(wrong());
    }
    let hundredths: u32 = format!("{whole}{part:0<2}").parse().map_err(|_| wrong())?;
    if hundredths <= 10_000 { Ok(hundredths) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let check = |text: &str, expected: Option<u32>| {
            assert_eq!(hundredths(text).ok(), expected, "{text}");
        };
        check("25%", Some(2_500));
        check("0.5%", Some(50));
        check("12.34", Some(1_234));
        check("100%", Some(10_000));
        check("100.01%", None);
        check("-1%", None);
        check("1.234%", None);
        check("", None);
        check("all", None);
    }
}
