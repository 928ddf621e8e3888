//! The proxy as a process runs it: until it is told to end.

use std::process::Command;
use std::time::Duration;

use ripcord_proxy::{Control, Limits, Options};
use tokio::time::sleep;

use crate::backend::Backend;
use crate::client::get;
use crate::world::{options, state};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sigterm_it_finishes_what_is_in_flight_and_returns() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { preview: None, ..options(&directory, Limits::default()) };
    let control = Control::new(&options.control);
    let process = std::thread::spawn(move || ripcord_proxy::run(options));
    let a = Backend::start("a").await;
    let mut applied = None;
    // Its signal handlers are in place before its control socket is.
    for _ in 0..500 {
        let (control, state) = (control.clone(), state(1, &[("a", &a)]));
        applied =
            tokio::task::spawn_blocking(move || control.apply(state, 100)).await.unwrap().ok();
        if applied.is_some() {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    applied.unwrap();
    let address = tokio::task::spawn_blocking(move || control.observe()).await.unwrap();
    let address = address.unwrap().listen;
    let slow = tokio::spawn(get(address, "/slow?300"));
    while a.requests() == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    // Only `run` listens for signals in this test binary, so nobody else is disturbed.
    let own = std::process::id().to_string();
    assert!(Command::new("kill").args(["-TERM", &own]).status().unwrap().success());
    assert_eq!(slow.await.unwrap().unwrap().status, 200);
    tokio::task::spawn_blocking(move || process.join().unwrap()).await.unwrap().unwrap();
    assert!(get(address, "/").await.is_err());
}
