//! Starting and stopping: the first look at the file, the listener, and the end of all of them.

use crate::connection;
use crate::error::OfrepError;
use crate::options::{Limits, Options};
use crate::shared::Shared;
use crate::source::Source;
use crate::tallies::Tallies;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Runs a flags server until SIGTERM or SIGINT; `ready` hears the address.
///
/// # Errors
///
/// If it cannot start. A missing or bad document is no reason not to.
pub fn run(options: Options, ready: impl FnOnce(SocketAddr)) -> Result<(), OfrepError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        raise_the_number_of_files();
        let running = Server::start(options).await?;
        ready(running.address);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        running.stop().await;
        Ok(())
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// The flags server, to be started inside somebody's runtime.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Reads the document, or the copy of the last good one, opens the listener and serves.
    ///
    /// # Errors
    ///
    /// If the address is taken, or reachable from other machines while no keys are asked for, or
    /// if the keys cannot be read.
    #[expect(clippy::unused_async, reason = "it spawns: only inside a runtime can it be called")]
    pub async fn start(options: Options) -> Result<Running, OfrepError> {
        if options.keys.is_none() && !options.listen.ip().is_loopback() {
            return Err(OfrepError::NoKeys(options.listen));
        }
        let listen = options.listen;
        let failed = |source| OfrepError::Listen { address: listen, source };
        let listener = bound(listen, options.limits.send_buffer_bytes).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared::new(&options)?);
        let (file, say) = (options.file.clone(), options.say);
        let source = Source::open(options, Arc::clone(&shared));
        let counted = Arc::clone(&shared);
        let tallies = std::thread::Builder::new()
            .name("flags-counts".to_owned())
            .spawn(move || Tallies::keep(&counted, &file, say))?;
        let watcher = std::thread::Builder::new()
            .name("flags-file".to_owned())
            .spawn(move || source.watch())?;
        let (alive, gone) = mpsc::channel(1);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), alive.clone()));
        let threads = [watcher, tallies];
        Ok(Running { address, shared, accepting, threads, alive, gone })
    }
}

/// A flags server that serves.
pub struct Running {
    /// Where clients ask; tells the port if any was wanted.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    threads: [std::thread::JoinHandle<()>; 2],
    alive: mpsc::Sender<()>,
    gone: mpsc::Receiver<()>,
}

impl Running {
    /// Stops accepting, ends change streams, lets requests in flight finish within the limit.
    pub async fn stop(self) {
        let Running { shared, accepting, threads, alive, mut gone, .. } = self;
        accepting.abort();
        // Aborted is what it was told to be.
        let _ = accepting.await;
        shared.stopping.send_replace(true);
        drop(alive);
        let Limits { stop_within, .. } = shared.limits;
        // The channel ends when the last connection has dropped its sender; nothing is ever sent.
        let _ = timeout(stop_within, gone.recv()).await;
        // They look at `stopping` every few milliseconds.
        let _ = tokio::task::spawn_blocking(|| threads.map(std::thread::JoinHandle::join)).await;
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A listener whose connections have a send buffer of this size; they take it over from it.
fn bound(listen: SocketAddr, send_buffer_bytes: u32) -> std::io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As the usual way of listening does: a server that starts again need not wait.
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(send_buffer_bytes)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

/// Accepts for as long as there is room; beyond that, clients wait in the system's backlog.
async fn accept(listener: TcpListener, shared: Arc<Shared>, alive: mpsc::Sender<()>) {
    let room = Arc::new(Semaphore::new(shared.limits.connections_max));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, client)) = listener.accept().await else {
            // Out of descriptors, most likely. It passes when connections end.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Without it answers are slower, but right.
        let _ = stream.set_nodelay(true);
        let (shared, alive) = (Arc::clone(&shared), alive.clone());
        tokio::spawn(async move {
            connection::serve(shared, stream, client.ip()).await;
            drop((place, alive));
        });
    }
}

/// Each stream is a descriptor, and the usual soft limit is 1,024 of them.
fn raise_the_number_of_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With fewer descriptors fewer clients can be served, and the rest waits.
    let _ = setrlimit(Resource::Nofile, limit);
}
