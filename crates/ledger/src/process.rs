//! Which process is meant: a pid alone is used again, a pid with its start time is not. This
//! module only looks; it starts nothing.

use std::fs;

/// When a process started, in the kernel's ticks since boot; none when there is no such process.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    parse_start_time(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may hold spaces and parentheses itself, so counting starts behind the
/// last one: the start time is field 22, the state behind the name is field 3.
fn parse_start_time(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_times() {
        let check = |stat: &str, expected: Option<u64>| {
            assert_eq!(parse_start_time(stat), expected, "{stat}");
        };
        let tail = "S 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 100 200";
        check(&format!("12 (ripcord) {tail}"), Some(4711));
        check(&format!("12 (a) b (c)) {tail}"), Some(4711));
        check("12 (ripcord) S 1 2", None);
        check("", None);
        assert!(start_time(std::process::id()).is_some());
        assert_eq!(start_time(0), None);
    }
}
