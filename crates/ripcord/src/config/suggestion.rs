//! The name that somebody probably meant.

/// The most that two names may differ to be taken for each other.
const DISTANCE_MAX: usize = 3;

/// The nearest of the known names, unless all are too far.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = DISTANCE_MAX.min(name.chars().count().div_ceil(3));
    let distances = known.iter().map(|candidate| (distance(name, candidate), *candidate));
    let (distance, candidate) = distances.min()?;
    (distance <= allowed).then_some(candidate)
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
        check("bake", "bake", 0);
        check("bkae", "bake", 2);
        check("", "bake", 4);
        check("keepwarm", "keep_warm", 1);
        check("kitten", "sitting", 3);
    }

    #[test]
    fn suggests_what_is_near() {
        let known = ["listen", "preview", "instances", "bake"];
        let check = |name, expected| assert_eq!(nearest(name, &known), expected, "{name}");
        check("listn", Some("listen"));
        check("instance", Some("instances"));
        check("port", None);
        check("", None);
        assert_eq!(nearest("x", &[]), None);
    }
}
