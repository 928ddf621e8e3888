//! Starting and stopping: listeners, the control socket, and the end of all of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout_at};

use crate::board::{Board, Listeners};
use crate::control::ControlListener;
use crate::error::ProxyError;
use crate::options::{Limits, Options, ms};
use crate::release::Side;
use crate::serve;
use crate::store::Store;

/// Runs a proxy until SIGTERM or SIGINT, then finishes what is in flight and returns.
///
/// # Errors
/// If it cannot start; the error says what is in the way. Once running, it does not fail.
pub fn run(options: Options) -> Result<(), ProxyError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(ProxyError::Runtime)?.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(ProxyError::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ProxyError::Runtime)?;
        let running = Proxy::start(options).await?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        running.shutdown().await;
        Ok(())
    })
}

/// The proxy, to be started inside somebody's runtime.
#[derive(Debug)]
pub struct Proxy;

impl Proxy {
    /// Loads the saved state, opens the listeners and serves.
    ///
    /// # Errors
    /// If the saved state cannot be trusted, or an address or the socket is taken.
    pub async fn start(options: Options) -> Result<Running, ProxyError> {
        let Options { state_dir, listen, preview, control, limits } = options;
        limits.validate()?;
        let limits = Arc::new(limits);
        let (store, saved) = Store::open(&state_dir)?;
        let live = bind(listen).await?;
        let preview = match preview {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let control = ControlListener::bind(&control)?;
        let listen_addr = live.1;
        let preview_addr = preview.as_ref().map(|(_, address)| *address);
        let addresses = Listeners { live: listen_addr, preview: preview_addr };
        let board = Board::new(store, saved, Arc::clone(&limits), addresses);

        let (alive, gone) = mpsc::channel(1);
        let room = Arc::new(Semaphore::new(limits.max_connections));
        let listeners = [Some((live.0, Side::Live)), preview.map(|(p, _)| (p, Side::Preview))];
        let mut tasks: Vec<_> = listeners
            .into_iter()
            .flatten()
            .map(|(listener, side)| {
                let (board, room) = (Arc::clone(&board), Arc::clone(&room));
                tokio::spawn(accept(listener, side, board, room, alive.clone()))
            })
            .collect();
        tasks.push(tokio::spawn(control.run(Arc::clone(&board))));
        tasks.push(tokio::spawn(Arc::clone(&board).keep_leases()));
        Ok(Running { listen_addr, preview_addr, limits, board, tasks, alive, gone })
    }
}

/// A proxy that serves.
pub struct Running {
    /// Where requests come in; tells the port if any was asked for.
    pub listen_addr: SocketAddr,
    /// Where requests for the preview come in.
    pub preview_addr: Option<SocketAddr>,
    limits: Arc<Limits>,
    board: Arc<Board>,
    tasks: Vec<JoinHandle<()>>,
    alive: mpsc::Sender<()>,
    gone: mpsc::Receiver<()>,
}

impl Running {
    /// Stops accepting, lets what is in flight finish within the limit, and ends the rest.
    pub async fn shutdown(self) {
        let Self { limits, board, tasks, alive, mut gone, .. } = self;
        let until = Instant::now() + ms(limits.shutdown_ms);
        for task in &tasks {
            task.abort();
        }
        for task in tasks {
            // Aborted is what it was told to be.
            let _ = task.await;
        }
        drop(alive);
        // The channel ends when the last connection has dropped its sender; nothing is ever sent.
        let all = async { tokio::join!(board.stop(until), gone.recv()) };
        let _ = timeout_at(until.into(), all).await;
        board.end().await;
        let _ = timeout_at((until + Duration::from_secs(1)).into(), gone.recv()).await;
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Running")
            .field("listen_addr", &self.listen_addr)
            .finish_non_exhaustive()
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ProxyError> {
    let failed = |source| ProxyError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Accepts for as long as there is room; beyond that, clients wait in the system's backlog.
async fn accept(
    listener: TcpListener,
    side: Side,
    board: Arc<Board>,
    room: Arc<Semaphore>,
    alive: mpsc::Sender<()>,
) {
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, client)) = listener.accept().await else {
            // Out of descriptors, most likely. It passes when connections end.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Without it answers are slower, but right.
        let _ = stream.set_nodelay(true);
        let (board, alive) = (Arc::clone(&board), alive.clone());
        tokio::spawn(async move {
            serve::connection(board, side, stream, client.ip()).await;
            drop((place, alive));
        });
    }
}
