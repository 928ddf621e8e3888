//! Numbers as people say them. Nothing is decided here.

use super::assessment::Counts;
use super::interval::Interval;
use super::nats::{as_count, as_f64};
use crate::model::ReleaseId;
use crate::model::ids::Millis;

/// "v3 answered 37 of 412 canary requests with 5xx, stable 4 of 7,981: 179 times as often (60 to
/// 510 at 99 %)."
pub(super) fn counts(canary: &ReleaseId, counts: &Counts, lift: Option<&Interval>) -> String {
    let Counts { canary: new, stable: old } = counts;
    let said = format!(
        "{canary} answered {} of {} canary requests with 5xx, stable {} of {}",
        thousands(new.events),
        thousands(new.total),
        thousands(old.events),
        thousands(old.total),
    );
    match lift {
        None => format!("{said}."),
        Some(lift) => format!("{said}: {}.", times(lift)),
    }
}

fn times(lift: &Interval) -> String {
    let &Interval { estimate, low, high, confidence } = lift;
    let sure = format!("at {} %", plain(100.0 * confidence));
    match (estimate, high) {
        (Some(estimate), Some(high)) => {
            format!("{} times as often ({} to {} {sure})", plain(estimate), plain(low), plain(high))
        }
        (Some(estimate), None) => {
            format!("{} times as often (at least {} {sure})", plain(estimate), plain(low))
        }
        (None, Some(high)) => format!("{} to {} times as often {sure}", plain(low), plain(high)),
        (None, None) => format!("at least {} times as often {sure}", plain(low)),
    }
}

/// "Seen by chance in an equal release: less than once in 10,000."
pub(super) fn chance(evidence: f64) -> String {
    let once_in = libm::floor(evidence.clamp(1.0, 1e9));
    if once_in < 2.0 {
        return "An equal release would often look like this.".to_owned();
    }
    // Rounded down to one digit, since the bound is no exact value.
    let magnitude = libm::pow(10.0, libm::floor(libm::log10(once_in)));
    let rounded = as_count(libm::floor(once_in / magnitude) * magnitude);
    format!("Seen by chance in an equal release: less than once in {}.", thousands(rounded))
}

/// 1234567 as "1,234,567".
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with two digits that matter.
pub fn plain(number: f64) -> String {
    match number {
        number if number >= 1e15 => "very many".to_owned(),
        number if number >= 99.5 => thousands(as_count(libm::round(number))),
        number if number >= 9.95 => format!("{number:.0}"),
        number if number >= 0.095 => format!("{number:.1}"),
        number if number > 0.0 => format!("{number:.2}"),
        _ => "0".to_owned(),
    }
}

/// A part of a whole, between 0 and 1, as "98 %" or "99.83 %".
pub(super) fn share(part: f64) -> String {
    let text = format!("{:.2}", 100.0 * part);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// How many requests come in this time; none where that is no number.
pub(crate) fn requests(per_second: f64, ms: Millis) -> Option<u64> {
    let count = per_second * as_f64(ms) / 1e3;
    count.is_finite().then(|| as_count(libm::round(count)))
}

/// A stretch of time in the unit that suits it.
pub fn time(ms: Millis) -> String {
    let seconds = as_f64(ms) / 1e3;
    match seconds {
        s if s < 1.0 => "a second".to_owned(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_say_them() {
        let check = |number: f64, expected: &str| assert_eq!(plain(number), expected);
        check(0.0, "0");
        check(0.023, "0.02");
        check(1.96, "2.0");
        check(60.4, "60");
        check(1_234.5, "1,235");
        check(f64::INFINITY, "very many");
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(7_981), "7,981");
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
        let times = [0, 59_000, 600_000, 7_200_000, 864_000_000].map(time);
        assert_eq!(times, ["a second", "59 s", "10 min", "2 h", "10 days"]);
    }

    #[test]
    fn chances_are_bounds() {
        let check = |evidence: f64, expected: &str| {
            let said = chance(evidence);
            assert!(said.ends_with(expected), "{said}");
        };
        check(1.5, "often look like this.");
        check(119.0, "less than once in 100.");
        check(10_400.0, "less than once in 10,000.");
        check(f64::INFINITY, "less than once in 1,000,000,000.");
    }
}
