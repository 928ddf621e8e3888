//! What the controller may say, and what it is told.

use std::os::unix::fs::PermissionsExt;

use ripcord_proxy::{Control, Options, Proxy, ProxyError, Refusal, Requests, Share, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::backend::Backend;
use crate::client::get;
use crate::world::{World, name, state};

fn refusal(error: ProxyError) -> Refusal {
    match error {
        ProxyError::Refused(refusal) => refusal,
        other => panic!("no refusal: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_03_bad_options_leave_no_trace() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let good = state(1, &[("a", &a)]);
    world.apply(good.clone(), 1_000).await.unwrap();
    let file = world.directory.path().join("state/proxy.state");
    let saved = std::fs::read(&file).unwrap();
    let next = || state(2, &[("b", &b), ("a", &a)]);
    let bad = [
        State { split: [(name("b"), Share(9_999))].into(), ..next() },
        State { split: [(name("c"), Share::ALL)].into(), ..next() },
        State { preview: Some(name("c")), ..next() },
        State { targets: [(name("b"), vec![])].into(), ..next() },
        State { requests: Requests::Maintenance { page: "x".repeat(1 << 20) }, ..next() },
        State { requests: Requests::Held { max_requests: 1, max_bytes: 1, max_ms: 0 }, ..next() },
    ];
    for bad in bad {
        let refused = refusal(world.apply(bad, 1_000).await.unwrap_err());
        assert!(matches!(refused, Refusal::Invalid { .. }), "{refused}");
        assert_eq!(world.ask(|control| control.observe()).await.unwrap().state, good);
        assert_eq!(std::fs::read(&file).unwrap(), saved);
        assert_eq!(get(world.listen(), "/").await.unwrap().body, "a");
    }
    world.apply(next(), 1_000).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_1_stale_fence_is_refused() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let at = |fence, generation, backend: (&str, &Backend)| State {
        fence,
        ..state(generation, &[backend])
    };
    let in_force = at(5, 7, ("a", &a));
    world.apply(in_force.clone(), 1_000).await.unwrap();
    for (fence, generation) in [(4, 8), (4, 7), (5, 6), (0, u64::MAX)] {
        let stale = at(fence, generation, ("b", &b));
        let refused = refusal(world.apply(stale, 1_000).await.unwrap_err());
        let (current_fence, current_generation) = (5, 7);
        let expected = Refusal::Stale { fence, generation, current_fence, current_generation };
        assert_eq!(refused, expected);
    }
    let conflict = refusal(world.apply(at(5, 7, ("b", &b)), 1_000).await.unwrap_err());
    assert_eq!(conflict, Refusal::Conflict { generation: 7 });
    assert_eq!(world.ask(|control| control.observe()).await.unwrap().state, in_force);
    assert_eq!(b.requests(), 0);
    // The same again is acknowledged again; a newer fence wins, whatever it counts.
    assert!(world.apply(in_force, 1_000).await.unwrap().drained);
    world.apply(at(6, 1, ("b", &b)), 1_000).await.unwrap();
    assert_eq!(get(world.listen(), "/").await.unwrap().body, "b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applying_again_waits_for_the_drain_again() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let slow = tokio::spawn(get(world.listen(), "/slow?500"));
    world.inside("a", 1).await;
    let next = state(2, &[("b", &b)]);
    // A controller that asks, dies before it hears the answer, and asks again.
    let call = format!(
        "{{\"apply\":{{\"state\":{},\"drain_deadline_ms\":5000}}}}\n",
        serde_json::to_string(&next).unwrap()
    );
    let socket = world.directory.path().join("control");
    let mut lost = tokio::net::UnixStream::connect(socket).await.unwrap();
    lost.write_all(call.as_bytes()).await.unwrap();
    while world.ask(|control| control.observe()).await.unwrap().state != next {}
    drop(lost);
    let applied = world.apply(next, 5_000).await.unwrap();
    assert!(applied.drained && applied.took_ms > 100, "{applied:?}");
    assert_eq!(slow.await.unwrap().unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_cannot_be_saved_is_not_put_in_force() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    // The place of the temporary file is taken by a directory.
    let blocker = world.directory.path().join("state/proxy.state.new");
    std::fs::create_dir(&blocker).unwrap();
    let refused = refusal(world.apply(state(2, &[("b", &b)]), 1_000).await.unwrap_err());
    assert!(matches!(refused, Refusal::NotSaved { .. }), "{refused}");
    assert_eq!(get(world.listen(), "/").await.unwrap().body, "a");
    std::fs::remove_dir(&blocker).unwrap();
    world.apply(state(2, &[("b", &b)]), 1_000).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_and_the_socket_is_private() {
    let world = World::start().await;
    let socket = world.directory.path().join("control");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for nonsense in ["hello\n", "\"dance\"\n", "{\"observe\":{\"x\":1}}\n", "{\"apply\":{}}\n"] {
        let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
        stream.write_all(nonsense.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("malformed"), "{nonsense:?}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_path_may_be_long() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let options = Options {
        control: deep.join("control"),
        ..crate::world::options(&directory, ripcord_proxy::Limits::default())
    };
    let control = Control::new(&options.control);
    let running = Proxy::start(options.clone()).await.unwrap();
    let observed = tokio::task::spawn_blocking(move || control.observe()).await.unwrap();
    assert_eq!(observed.unwrap().state, State::default());
    running.shutdown().await;
    assert!(!options.control.exists(), "the socket goes with the proxy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_said() {
    let control = Control::new("/nonexistent/control");
    let failed = control.observe().unwrap_err().to_string();
    assert!(failed.contains("/nonexistent/control"), "{failed}");
}
