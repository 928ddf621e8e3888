//! The release directories: complete, parseable, cumulative.

use std::fs;

use ripcord_shop::{Schema, ShopConfig};

use crate::world::releases;

#[test]
fn every_release_is_complete() {
    let expected = [
        ("crash-loop", Schema::V2),
        ("dies-under-load", Schema::V2),
        ("memory-hog", Schema::V2),
        ("never-healthy", Schema::V2),
        ("slow", Schema::V2),
        ("v1-good", Schema::V1),
        ("v2-additive", Schema::V2),
        ("v3-bad-answers", Schema::V3),
        ("v3-bad-canary", Schema::V2),
    ];
    let mut found: Vec<String> = fs::read_dir(releases())
        .expect("the releases")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, expected.map(|(name, _)| name));
    let newest = releases().join("v3-bad-answers/migrations");
    for (name, schema) in expected {
        let directory = releases().join(name);
        let config = ShopConfig::read(&directory.join("shop.json")).expect("a configuration");
        let good = matches!(name, "v1-good" | "v2-additive");
        assert_eq!(config.faults == ripcord_shop::Faults::default(), good, "{name}");
        let flags = fs::read_to_string(directory.join("flags.json")).expect("flags");
        let flags: serde_json::Value = serde_json::from_str(&flags).expect("JSON");
        let on = if schema.has_reviews() { "on" } else { "off" };
        assert_eq!(flags["flags"]["reviews"]["defaultVariant"], on, "{name}");
        let scripts: Vec<_> = fs::read_dir(directory.join("migrations"))
            .expect("migrations")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        // The canary's third migration is one that code of any schema lives on.
        let (own, all) = match name {
            "v3-bad-canary" => (Some("003_wishes"), 6),
            _ => (None, usize::from(schema.number()) * 2),
        };
        assert_eq!(scripts.len(), all, "{name}");
        let is_own = |script: &std::path::Path| {
            own.is_some_and(|own| script.to_string_lossy().contains(own))
        };
        for script in scripts.into_iter().filter(|script| !is_own(script)) {
            let same = newest.join(script.file_name().expect("a name"));
            let read = |path| fs::read_to_string(path).expect("a script");
            assert_eq!(read(script), read(same), "{name} tells another history");
        }
    }
}

#[test]
fn the_bad_release_fails_five_to_ten_percent() {
    let path = releases().join("v3-bad-answers/shop.json");
    let faults = ShopConfig::read(&path).expect("a configuration").faults;
    assert!((5.0..=10.0).contains(&faults.error_percent) && faults.after_requests > 0);
}
