//! Binding, serving and the orderly end on SIGTERM.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{catalogue, guard, orders, transfer};
use crate::faults::Injector;
use crate::flags::Flags;
use crate::store::Pool;
use crate::{Schema, Settings, ShopConfig, ShopError};

const DRAIN_MAX: Duration = Duration::from_secs(30);
const SOCKETS_CLOSE_MAX: Duration = Duration::from_secs(1);

/// What all handlers share.
pub(super) struct Shop {
    pub(super) schema: Schema,
    pub(super) release: String,
    pub(super) config: ShopConfig,
    pub(super) pool: Arc<Pool>,
    pub(super) flags: Flags,
    pub(super) injector: Injector,
    /// Turns true when the service stops; every open web socket holds a receiver.
    pub(super) stopping: watch::Sender<bool>,
}

/// A shop that has its port and does not serve yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shop: Arc<Shop>,
}

impl Server {
    /// Reads flags, opens the fault log and takes the port.
    ///
    /// # Errors
    /// When any of them is not to be had. The database is not opened: `/up` tells about it.
    pub async fn bind(settings: Settings) -> Result<Self, ShopError> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port));
        let failed = |source| ShopError::Listen { address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let injector =
            Injector::new(settings.config.faults.clone(), settings.fault_log.as_deref())?;
        let shop = Shop {
            schema: settings.schema,
            release: settings.release,
            pool: Arc::new(Pool::new(settings.database)),
            flags: Flags::open(settings.flag_server.as_ref(), settings.flags_file).await?,
            injector,
            config: settings.config,
            stopping: watch::Sender::new(false),
        };
        Ok(Self { listener, address, shop: Arc::new(shop) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `until`, then accepts no more and finishes what is in flight, for at most 30 s.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(
        self,
        until: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ShopError> {
        if let Some(delay) = self.shop.injector.crash_after() {
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                std::process::abort();
            });
        }
        let shop = Arc::clone(&self.shop);
        let mut end = shop.stopping.subscribe();
        let announced = Arc::clone(&shop);
        let graceful = async move {
            until.await;
            announced.stopping.send_replace(true);
        };
        // Small answers must not wait for the client's acknowledgement of earlier ones.
        let listener = self.listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let serving = axum::serve(listener, router(Arc::clone(&shop)))
            .with_graceful_shutdown(graceful)
            .into_future();
        let deadline = async move {
            let stopped = end.wait_for(|stopping| *stopping).await.is_ok();
            drop(end);
            if stopped {
                tokio::time::sleep(DRAIN_MAX).await;
            }
        };
        let served = tokio::select! {
            served = serving => served,
            () = deadline => Ok(()),
        };
        // Upgraded connections are not the server's any more; they get a moment to say goodbye.
        let _ = timeout(SOCKETS_CLOSE_MAX, shop.stopping.closed()).await;
        served.map_err(|source| ShopError::Runtime { what: "the server", source })
    }
}

/// Starts listening for SIGTERM and SIGINT; what it returns completes on the first of them.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send, ShopError> {
    let failed = |source| ShopError::Runtime { what: "waiting for signals", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn router(shop: Arc<Shop>) -> Router {
    let mut router = Router::new()
        .route("/up", get(catalogue::up))
        .route("/version", get(catalogue::version))
        .route("/products", get(catalogue::list_products))
        .route("/products/{id}", get(catalogue::product))
        .route("/customers", post(catalogue::create_customer))
        .route("/customers/{id}", get(catalogue::customer))
        .route("/orders", get(orders::list).post(orders::create))
        .route("/orders/{id}", get(orders::show).patch(orders::change))
        .route("/slow", get(transfer::slow))
        .route("/stream", get(transfer::stream))
        .route("/ws", get(transfer::echo));
    if shop.schema.has_reviews() {
        router =
            router.route("/reviews", get(catalogue::list_reviews).post(catalogue::create_review));
    }
    router
        .fallback(catalogue::unknown)
        .layer(from_fn_with_state(Arc::clone(&shop), guard::guard))
        .with_state(shop)
}
