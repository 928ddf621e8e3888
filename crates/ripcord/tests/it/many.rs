//! Many deploys and rollbacks in a row under load: not one request is lost.

use crate::site::Site;
use ripcord_shop::Schema;
use ripcord_shop::load::verify;

/// 200 operations: 100 deploys and 100 rollbacks, every tenth pair with the destructive
/// migration and paused requests.
#[test]
fn two_hundred_deploys_and_rollbacks_lose_no_request() {
    rounds(100);
}

#[test]
fn soak_many_deploys_and_rollbacks() {
    let minutes: u32 = std::env::var("RIPCORD_SOAK_MINUTES")
        .ok()
        .and_then(|minutes| minutes.parse().ok())
        .unwrap_or(0);
    rounds(minutes * 60);
}

fn rounds(rounds: u32) {
    if rounds == 0 {
        return;
    }
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    let load = site.load(60);
    // The same schema with another configuration, and code that needs the destructive migration.
    site.dress_with("v2-additive", |text| {
        text.replace("SHOP_RELEASE", "OTHER = \"1\"\nSHOP_RELEASE")
    });
    let same_schema = site.freeze();
    site.dress("v3-bad-answers");
    let calm = r#"{"banner":"gifts","page_size":20}"#;
    std::fs::write(site.project().join("shop.json"), calm).unwrap();
    let other_schema = site.freeze();
    for round in 0..rounds {
        let release = if round % 10 == 0 { &other_schema } else { &same_schema };
        // It was rolled back in an earlier round, so a person's word is needed.
        site.run(&["retry", release]).expect(0);
        site.run(&["rollback"]).expect(0);
    }
    let (report, record) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    assert_eq!(report.held_back, 0, "the load was not the one that was asked for");
    let data = verify(site.database(), &record, None, Schema::V2).unwrap();
    assert!(data.is_clean(), "{data:?}");
    site.run(&["ledger", "verify"]).expect(0);
    site.close();
}
