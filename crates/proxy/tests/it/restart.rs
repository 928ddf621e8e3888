//! What survives: the state over restarts, and nothing else over damage.

use std::fs;

use ripcord_proxy::{Limits, Proxy, ProxyError, Share, State};

use crate::backend::Backend;
use crate::client::get;
use crate::world::{World, held, name, options, state};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_07_restart_restores_state() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let mut saved = State { requests: held(7, 300), ..state(9, &[("a", &a), ("b", &b)]) };
    saved.split = [("a", 9_000), ("b", 1_000)].map(|(n, share)| (name(n), Share(share))).into();
    saved.preview = Some(name("b"));
    world.apply(saved.clone(), 1_000).await.unwrap();
    let World { directory, running, .. } = world;
    running.shutdown().await;

    // Killed in the middle of saving the next state: a temporary file of any kind is no state.
    let temporary = directory.path().join("state/proxy.state.new");
    let whole = fs::read(directory.path().join("state/proxy.state")).unwrap();
    fs::write(&temporary, &whole[..whole.len() / 2]).unwrap();
    let world = World::at(directory, Limits::default()).await.unwrap();
    let observed = world.ask(|control| control.observe()).await.unwrap();
    assert_eq!(observed.state, saved);
    let answer = get(world.listen(), "/").await.unwrap();
    assert_eq!(answer.error(), Some("hold_expired"), "the pause is restored, too");

    // It goes on from there: the controller's next word, and not its last but one.
    let stale = world.apply(state(8, &[("b", &b)]), 1_000).await.unwrap_err().to_string();
    assert!(stale.contains("stale"), "{stale}");
    world.apply(state(10, &[("b", &b)]), 1_000).await.unwrap();
    let World { directory, running, .. } = world;
    running.shutdown().await;
    let world = World::at(directory, Limits::default()).await.unwrap();
    assert_eq!(get(world.listen(), "/").await.unwrap().body, "b", "served without the controller");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_state_refuses_to_start() {
    let world = World::start().await;
    let a = Backend::start("a").await;
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let World { directory, running, .. } = world;
    running.shutdown().await;
    let file = directory.path().join("state/proxy.state");
    let good = fs::read(&file).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    for bad in ["", "{}", &text[..text.len() - 3], &text.replace("10000", "10001")] {
        fs::write(&file, bad).unwrap();
        let refused = Proxy::start(options(&directory, Limits::default())).await.unwrap_err();
        assert!(matches!(refused, ProxyError::Corrupt { .. }), "{refused}");
        assert!(refused.to_string().contains("proxy.state"), "{refused}");
    }
    // A state that cannot be read is not the same as no state.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let refused = Proxy::start(options(&directory, Limits::default())).await.unwrap_err();
    assert!(matches!(refused, ProxyError::Storage { verb: "read", .. }), "{refused}");
    fs::remove_dir(&file).unwrap();
    fs::write(&file, good).unwrap();
    Proxy::start(options(&directory, Limits::default())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_is_said() {
    let world = World::start().await;
    let other = tempfile::tempdir().unwrap();
    let mut taken = options(&other, Limits::default());
    taken.listen = world.listen();
    let refused = Proxy::start(taken).await.unwrap_err();
    assert!(matches!(refused, ProxyError::Listen { .. }), "{refused}");
    assert!(refused.to_string().contains(&world.listen().to_string()), "{refused}");

    let same = options(&world.directory, Limits::default());
    let refused = Proxy::start(same.clone()).await.unwrap_err();
    assert!(matches!(refused, ProxyError::InUse { .. }), "{refused}");
    let other = tempfile::tempdir().unwrap();
    let socket = ripcord_proxy::Options { state_dir: other.path().join("state"), ..same };
    let refused = Proxy::start(socket).await.unwrap_err();
    assert!(matches!(refused, ProxyError::InUse { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_cannot_be_kept_are_refused() {
    let path = Limits { health_path: "up".to_owned(), ..Limits::default() };
    let none = Limits { max_connections: 0, ..Limits::default() };
    for (limits, said) in [(path, "health_path"), (none, "max_connections")] {
        let directory = tempfile::tempdir().unwrap();
        let refused = Proxy::start(options(&directory, limits)).await.unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
        assert!(!directory.path().join("state").exists(), "a refusal leaves no trace");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutting_down_finishes_what_is_in_flight_and_ends_the_rest() {
    let limits = Limits { shutdown_ms: 400, ..Limits::default() };
    let world = World::with(limits).await;
    let a = Backend::start("a").await;
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let address = world.listen();
    let soon = tokio::spawn(get(address, "/slow?200"));
    let never = tokio::spawn(get(address, "/slow?60000"));
    world.inside("a", 2).await;
    let began = std::time::Instant::now();
    world.running.shutdown().await;
    let took = began.elapsed().as_millis();
    assert!((398..1_000).contains(&took), "{took} ms");
    assert_eq!(soon.await.unwrap().unwrap().status, 200);
    assert_eq!(never.await.unwrap().unwrap().status, 504);
    assert!(get(address, "/").await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutting_down_does_not_keep_held_requests_waiting() {
    let world = World::start().await;
    let a = Backend::start("a").await;
    let paused = State { requests: held(9, 60_000), ..state(1, &[("a", &a)]) };
    world.apply(paused, 1_000).await.unwrap();
    let waiting = tokio::spawn(get(world.listen(), "/"));
    while world.ask(|control| control.observe()).await.unwrap().held == 0 {}
    let began = std::time::Instant::now();
    world.running.shutdown().await;
    assert!(began.elapsed().as_millis() < 1_000, "{:?}", began.elapsed());
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!((answer.status, answer.error()), (503, Some("hold_expired")));
}
