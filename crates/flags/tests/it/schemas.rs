//! The documents that the published schemas take and refuse.

use crate::suites;
use ripcord_flags::{Schema, check_schema};
use std::fs;

fn check(folder: &str, schema: Schema, taken: usize, refused: usize) {
    for (kind, expected, count) in [("positive", true, taken), ("negative", false, refused)] {
        let folder = suites().join("flagd-schemas").join(folder).join(kind);
        let mut seen = 0;
        // A folder without files is not in the copy.
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            let text = fs::read_to_string(&path).expect("a file of the suite");
            // Two files say that they are of the wider schema.
            let wider = text.contains("\"$schema\": \"../../../flagd.json\"");
            let problems = check_schema(&text, if wider { Schema::Flagd } else { schema });
            assert_eq!(problems.is_empty(), expected, "{}: {problems:#?}", path.display());
            // Every problem can be shown with its line.
            assert!(problems.iter().all(|it| format!("{it:#}").contains('^')), "{problems:?}");
            seen += 1;
        }
        assert_eq!(seen, count, "{}", folder.display());
    }
}

#[test]
fn flags() {
    check("flags", Schema::Flags, 9, 9);
}

#[test]
fn flagd() {
    check("flagd", Schema::Flagd, 2, 0);
}

#[test]
fn targeting() {
    check("targeting", Schema::Targeting, 3, 7);
}
