//! A proxy with its state directory and its controller.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ripcord_proxy::{
    Applied, Control, Limits, Options, Proxy, ProxyError, ReleaseName, Requests, Running, Share,
    State,
};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::backend::Backend;

/// A running proxy.
pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) running: Running,
    pub(crate) control: Control,
}

pub(crate) fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn name(name: &str) -> ReleaseName {
    ReleaseName::new(name).unwrap()
}

pub(crate) fn options(directory: &TempDir, limits: Limits) -> Options {
    let path = |name: &str| -> PathBuf { directory.path().join(name) };
    let (state_dir, control) = (path("state"), path("control"));
    Options { state_dir, listen: local(), preview: Some(local()), control, limits }
}

/// A state of fence 1 in which the first release has all requests.
pub(crate) fn state(generation: u64, releases: &[(&str, &Backend)]) -> State {
    let targets = releases.iter().map(|(release, at)| (name(release), vec![at.address]));
    State {
        fence: 1,
        generation,
        split: releases.iter().take(1).map(|(first, _)| (name(first), Share::ALL)).collect(),
        targets: targets.collect(),
        ..State::default()
    }
}

pub(crate) fn held(max_requests: u32, max_ms: u64) -> Requests {
    Requests::Held { max_requests, max_bytes: 1 << 20, max_ms }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::at(tempfile::tempdir().unwrap(), limits).await.unwrap()
    }

    pub(crate) async fn at(directory: TempDir, limits: Limits) -> Result<Self, ProxyError> {
        let options = options(&directory, limits);
        let control = Control::new(&options.control);
        // The last conversation with the proxy before may still be ending, and with it the lock.
        for _ in 0..100 {
            match Proxy::start(options.clone()).await {
                Err(ProxyError::InUse { .. }) => sleep(Duration::from_millis(10)).await,
                started => return Ok(Self { running: started?, directory, control }),
            }
        }
        Ok(Self { running: Proxy::start(options).await?, directory, control })
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.running.listen_addr
    }

    pub(crate) fn preview(&self) -> SocketAddr {
        self.running.preview_addr.unwrap()
    }

    pub(crate) async fn apply(&self, state: State, drain_ms: u64) -> Result<Applied, ProxyError> {
        self.ask(move |control| control.apply(state, drain_ms)).await
    }

    /// Asks over the blocking client without blocking the runtime.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(Control) -> T + Send + 'static,
    ) -> T {
        let control = self.control.clone();
        tokio::task::spawn_blocking(move || question(control)).await.unwrap()
    }

    /// Waits until this many requests are inside the release.
    pub(crate) async fn inside(&self, release: &str, requests: u64) {
        for _ in 0..500 {
            let observed = self.ask(|control| control.observe()).await.unwrap();
            let counts = observed.in_flight.get(&name(release)).copied().unwrap_or_default();
            if counts.live + counts.preview == requests {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("never {requests} requests inside {release}");
    }
}
