//! What must hold for every document, user and change.

use proptest::prelude::*;
use ripcord_flags::{
    Bucketing, Context, Document, FlagSet, OffLayer, Options, Rollout, Target, TargetRules, diff,
    merge,
};
use serde_json::{Value, json};

fn set(document: &Document, bucketing: Bucketing) -> FlagSet {
    let options = Options { bucketing: Some(bucketing), ..Options::default() };
    FlagSet::parse_with(document.text(), &options).expect("a good document")
}

fn variant(set: &FlagSet, key: &str, attributes: &Value) -> String {
    let context = Context::new(attributes, 0).expect("a small context");
    let found = set.evaluate(key, &context);
    assert_eq!(found.error, None);
    found.variant.unwrap_or("-").to_owned()
}

/// A document with members that are not known here, and digits that are easily lost.
fn document() -> Document {
    let text = r#"{
  "$schema": "https://flagd.dev/schema/v0/flags.json", "own": {"digits": 1.00},
  "flags": {
    "f": { "own": [1e2, "é"], "state": "ENABLED",
           "variants": {"on": true, "off": false}, "defaultVariant": "off" },
    "g":{"state":"DISABLED","variants":{"a":1.0,"b":10},"metadata":{"offVariant":"a","n":0.10}}
  },
  "$evaluators": {"beta": {"in": [{"var":"plan"}, ["beta"]]}}
}"#;
    Document::parse(text.as_bytes()).expect("a good document")
}

fn generation() -> impl Strategy<Value = Bucketing> {
    prop_oneof![Just(Bucketing::V2), Just(Bucketing::V3)]
}

/// A change of flag `f`, which may be refused.
#[derive(Debug, Clone)]
enum Change {
    On,
    Off,
    Default(bool),
    Share(u32),
    End,
    Add(String, bool),
    Remove(String),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::On),
        Just(Change::Off),
        any::<bool>().prop_map(Change::Default),
        (0_u32..=100_000).prop_map(Change::Share),
        Just(Change::End),
        ("[a-c\"\\\\é]{1,2}", any::<bool>()).prop_map(|(user, on)| Change::Add(user, on)),
        "[a-c]{1,2}".prop_map(Change::Remove),
    ]
}

fn changed(document: &Document, change: &Change) -> Option<Document> {
    let name = |on: bool| if on { "on" } else { "off" };
    let done = match change {
        Change::On => document.on("f", TargetRules::Drop),
        Change::Off => document.off("f", TargetRules::Drop),
        Change::Default(on) => document.set_default("f", Some(name(*on))),
        Change::Share(thousandths) => {
            let percent = f64::from(*thousandths) / 1000.0;
            let rollout = Rollout { variant: "on".into(), rest: Some("off".into()), percent };
            document.rollout("f", &rollout)
        }
        Change::End => document.rollout_end("f"),
        Change::Add(user, on) => {
            let target = Target {
                attribute: "targetingKey".into(),
                values: vec![user.clone()],
                variant: name(*on).into(),
            };
            document.target_add("f", &target)
        }
        Change::Remove(user) => document.target_remove("f", "targetingKey", Some(user)),
    };
    done.ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Raising a share only adds users, lowering it only takes users away.
    #[test]
    fn a_larger_share_keeps_its_users(
        bucketing in generation(),
        one in 0_u32..=100_000,
        other in 0_u32..=100_000,
        users in prop::collection::vec(".{0,12}", 40),
    ) {
        let at = |share: u32| changed(&document(), &Change::Share(share)).expect("a share");
        let (less, more) = (set(&at(one.min(other)), bucketing), set(&at(one.max(other)), bucketing));
        for user in users {
            let context = json!({ "targetingKey": user });
            if variant(&less, "f", &context) == "on" {
                prop_assert_eq!(variant(&more, "f", &context), "on");
            }
        }
    }

    /// A share takes about as many users as it says.
    #[test]
    fn a_share_is_about_as_large_as_it_says(bucketing in generation(), percent in 0_u32..=100) {
        let share = set(&changed(&document(), &Change::Share(percent * 1000)).expect("a share"), bucketing);
        let on = (0_u32..2000).filter(|user| {
            let context = json!({ "targetingKey": format!("u{user}") });
            variant(&share, "f", &context) == "on"
        });
        let on = on.fold(0.0, |count, _| count + 1.0);
        // Five standard deviations of two thousand users.
        prop_assert!((on / 20.0 - f64::from(percent)).abs() < 5.6);
    }

    /// Whatever is done to one flag, nothing else changes by a byte, and what was added counts.
    #[test]
    fn changes_touch_only_what_they_mean(changes in prop::collection::vec(change(), 1..12)) {
        let before = document();
        let mut now = before.clone();
        for change in &changes {
            let Some(next) = changed(&now, change) else { continue };
            prop_assert_eq!(next.flag_text("g"), before.flag_text("g"));
            prop_assert!(next.text().starts_with(&before.text()[..80]));
            prop_assert!(next.text().ends_with(before.text().split_once("\"g\"").expect("g").1));
            prop_assert!(next.flag_text("f").expect("f").contains(r#""own": [1e2, "é"]"#));
            let compiled = set(&next, Bucketing::V3);
            match change {
                Change::Add(user, on) => {
                    let context = json!({ "targetingKey": user });
                    let expected = if *on { "on" } else { "off" };
                    prop_assert_eq!(variant(&compiled, "f", &context), expected);
                }
                Change::On | Change::Off => {
                    let expected = if matches!(change, Change::On) { "on" } else { "off" };
                    prop_assert_eq!(variant(&compiled, "f", &json!({})), expected);
                }
                _ => {}
            }
            now = next;
        }
        // The way back: whatever was done since is undone by merging what was there before.
        let back = merge(&now, &before, &now).expect("a merge");
        prop_assert_eq!(back.conflicts, Vec::<String>::new());
        prop_assert_eq!(diff(&back.document, &before), vec![]);
    }

    /// A flag that is off by force is off for everybody, whatever was done before.
    #[test]
    fn off_is_off(changes in prop::collection::vec(change(), 0..8), user in ".{0,8}", plan in ".{0,8}") {
        let start = document();
        let now = changes.iter().fold(start, |now, change| changed(&now, change).unwrap_or(now));
        let layer = OffLayer { release: "v42".into(), flags: vec!["f".into(), "g".into()], reason: "x".into() };
        let off = now.with_off(&[layer]).expect("both can be off");
        let compiled = set(&off, Bucketing::V3);
        let context = json!({ "targetingKey": user, "plan": plan });
        prop_assert_eq!(variant(&compiled, "f", &context), "off");
        prop_assert_eq!(variant(&compiled, "g", &context), "a");
        // The document below is what it was.
        prop_assert_eq!(now.with_off(&[]).expect("nothing to do"), now);
    }

    /// The same document and user give the same answer, however often it is compiled.
    #[test]
    fn answers_do_not_depend_on_anything_else(bucketing in generation(), user in ".{0,20}", share in 0_u32..=100_000) {
        let document = changed(&document(), &Change::Share(share)).expect("a share");
        let context = json!({ "targetingKey": user });
        let first = variant(&set(&document, bucketing), "f", &context);
        prop_assert_eq!(first, variant(&set(&document, bucketing), "f", &context));
    }
}
