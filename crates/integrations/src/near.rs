//! The name that somebody probably meant.

/// The most that two names may differ to be taken for each other.
const DISTANCE_MAX: usize = 3;

/// The nearest of the known names, unless all are too far. Of two at the same distance, the one
/// that sorts first.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let allowed = DISTANCE_MAX.min(length.div_ceil(3));
    known
        .into_iter()
        // Names of too different a length need not be compared letter by letter.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, deleted or replaced to get from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_letters() {
        let check = |from, to, expected| assert_eq!(distance(from, to), expected, "{from} {to}");
        check("", "", 0);
        check("", "up", 2);
        check("up", "up", 0);
        check("kitten", "sitting", 3);
    }

    #[test]
    fn suggests_what_is_near() {
        let known = ["http_requests_total", "http_errors_total", "up"];
        let check = |name, expected| assert_eq!(nearest(name, known), expected, "{name}");
        check("http_request_total", Some("http_requests_total"));
        check("http_erors_totl", Some("http_errors_total"));
        check("us", Some("up"));
        check("memory_bytes", None);
        check("", None);
    }
}
