//! The load generator against real shops, some of which fail or die.

use std::time::Duration;

use ripcord_shop::Faults;
use ripcord_shop::load::{Load, LoadOptions, Record, Told};

use crate::process::Process;
use crate::world::{Running, World};

fn options(url: &str) -> LoadOptions {
    LoadOptions { url: url.to_owned(), rps: 150, timeout_ms: 2000, ..Default::default() }
}

/// Runs load off the test's own runtime, as a synchronous caller would.
async fn run(options: LoadOptions, ms: u64) -> (ripcord_shop::load::LoadReport, Record) {
    let load = tokio::task::spawn_blocking(move || {
        let load = Load::start(options)?;
        std::thread::sleep(Duration::from_millis(ms));
        load.stop()
    });
    load.await.expect("no panic").expect("a report")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_shop_answers_everything() {
    let world = World::at(2);
    let shop = world.serve(2).await;
    let record_file = world.path("record.jsonl");
    let mut wanted = options(&shop.url);
    wanted.record_file = Some(record_file.clone());
    let (report, record) = run(wanted, 1500).await;
    shop.stop().await;
    assert!(report.requests > 150, "only {} requests", report.requests);
    assert!(report.failed_unexplained.is_empty(), "{:#?}", report.failed_unexplained);
    assert_eq!(report.timeline.len() as u64, report.requests);
    assert_eq!(report.by_release.keys().collect::<Vec<_>>(), ["v2"]);
    assert_eq!((report.missing, report.held_back), (0, 0));
    let reviews = record.writes.iter().filter(|write| write.sent.path() == "/reviews").count();
    assert!(reviews > 0, "no review in {} writes", record.writes.len());
    assert_eq!(record.ambiguous().count(), 0);
    assert_eq!(Record::read(&record_file).expect("the record file"), record);
    let mut ids: Vec<_> = report.timeline.iter().map(|request| &request.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() as u64, report.requests, "request ids repeat");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shops_own_failures_are_told_from_others() {
    let world = World::at(1);
    let faults = Faults { error_percent: 20.0, ..Faults::default() };
    let shop = Running::start(world.settings(1, faults.clone())).await;
    let mut wanted = options(&shop.url);
    wanted.fault_log = Some(world.fault_log());
    let (report, record) = run(wanted, 1000).await;
    assert!(report.failed_by_shop > 0);
    assert!(report.failed_unexplained.is_empty(), "{:#?}", report.failed_unexplained);
    assert_eq!(report.by_status[&500], report.failed_by_shop);
    assert!(record.writes.iter().any(|write| matches!(write.told, Told::Refused { .. })));
    assert_eq!(record.ambiguous().count(), 0);
    // Without the log nothing is proven.
    let (unproven, _) = run(options(&shop.url), 500).await;
    assert_eq!(unproven.failed_by_shop, 0);
    assert!(!unproven.failed_unexplained.is_empty());
    shop.stop().await;
}

#[test]
fn every_request_is_accounted_for_when_the_shop_is_killed() {
    let world = World::at(1);
    let mut shop = Process::start(&world, "v1-good", 1);
    let load = Load::start(options(&shop.url())).expect("a load");
    std::thread::sleep(Duration::from_millis(700));
    shop.child.kill().expect("a killed shop");
    std::thread::sleep(Duration::from_millis(500));
    let live = load.snapshot();
    let (report, record) = load.stop().expect("a report");
    assert!(live.begun > 50 && live.failed > 0 && live.acknowledged > 0, "{live:?}");
    assert!(live.begun <= report.requests);
    assert_eq!(report.timeline.len() as u64, report.requests, "requests got lost");
    let answered: u64 = report.by_status.values().sum();
    assert_eq!(answered + report.missing, report.requests);
    assert!(report.missing > 30, "only {} missing", report.missing);
    assert_eq!(report.failed_unexplained.len() as u64, report.missing);
    assert!(record.acknowledged().count() > 0);
}
