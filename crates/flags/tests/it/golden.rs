//! Who is in which share, written down once by another program: a user's variant must never
//! change by an upgrade. The file is not to be changed; a new generation gets lines of its own.

use ripcord_flags::{Bucketing, Context, FlagSet, Options};
use serde_json::json;

#[test]
fn nobody_is_re_assigned() {
    let lines = include_str!("../golden/shares.txt");
    let mut seen = 0;
    for line in lines.lines() {
        let [generation, flag, user, expected] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("four words instead of `{line}`");
        };
        let text = json!({"flags": {flag: {
            "state": "ENABLED",
            "variants": {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5},
            "targeting": {"fractional": [["a", 1], ["b", 4], ["c", 10], ["d", 85], ["e", 900]]},
        }}});
        let bucketing = Bucketing::of(generation).expect("a known generation");
        let options = Options { bucketing: Some(bucketing), ..Options::default() };
        let set = FlagSet::parse_with(&text.to_string(), &options).expect("a good document");
        let attributes = json!({ "targetingKey": user });
        let context = Context::new(&attributes, 0).expect("a good context");
        assert_eq!(set.evaluate(flag, &context).variant, Some(expected), "{line}");
        seen += 1;
    }
    assert_eq!(seen, 368);
}
