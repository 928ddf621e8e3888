//! What all connections share: the document in force, the keys, the clients, what is wrong.

use crate::clients::Clients;
use crate::error::OfrepError;
use crate::keys::Keys;
use crate::options::{Limits, Options};
use crate::rate::Rate;
use crate::saved;
use crate::served::Served;
use crate::stream::Change;
use crate::tallies::Tallies;
use crate::token::Signer;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// The state of one server.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) origins: Vec<String>,
    /// The document in force. Nothing until the first usable one was read.
    pub(crate) served: ArcSwapOption<Served>,
    /// Why the newest document is not in force, if it is not.
    pub(crate) refused: ArcSwapOption<Refused>,
    /// The keys, if any are asked for.
    pub(crate) keys: Option<ArcSwap<Keys>>,
    pub(crate) clients: Clients,
    pub(crate) tallies: Tallies,
    pub(crate) rate: Rate,
    pub(crate) signer: Signer,
    pub(crate) news: watch::Sender<Option<Change>>,
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) tally: Tally,
    pub(crate) started_at_ms: u64,
}

/// A document, or the keys, that could not be put in force.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) why: String,
    pub(crate) since_ms: u64,
}

/// What is counted for the whole server.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) streams: AtomicUsize,
    pub(crate) singles: AtomicU64,
    pub(crate) bulks: AtomicU64,
    pub(crate) unchanged: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) refused_documents: AtomicU64,
    pub(crate) last_bulk_at_ms: AtomicU64,
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Result<Shared, OfrepError> {
        let keys = options.keys.as_deref().map(Keys::read).transpose()?;
        let secret = saved::stream_secret(&options.file, options.say)?;
        let limits = options.limits.clone();
        Ok(Shared {
            tallies: Tallies::load(&options.file, options.say),
            clients: Clients::new(limits.clients_max, limits.client_window),
            rate: Rate::new(limits.rate_max),
            origins: options.origins.clone(),
            served: ArcSwapOption::empty(),
            refused: ArcSwapOption::empty(),
            keys: keys.map(ArcSwap::from_pointee),
            signer: Signer::new(secret, limits.token_period),
            news: watch::Sender::new(None),
            stopping: watch::Sender::new(false),
            tally: Tally::default(),
            started_at_ms: now_ms(),
            limits,
        })
    }

    /// Puts a document in force, and tells the open streams.
    pub(crate) fn put_in_force(&self, served: Arc<Served>) {
        let change = Change::of(&served);
        self.rate.pause(self.limits.rate_pause);
        self.served.store(Some(served));
        self.refused.store(None);
        self.news.send_replace(Some(change));
    }

    /// Remembers why the newest document is not in force. True when that is news.
    pub(crate) fn refuse(&self, why: String) -> bool {
        if self.refused.load().as_ref().is_some_and(|refused| refused.why == why) {
            return false;
        }
        self.tally.refused_documents.fetch_add(1, Ordering::Relaxed);
        self.refused.store(Some(Arc::new(Refused { why, since_ms: now_ms() })));
        true
    }
}

/// Milliseconds since 1970 by the wall clock.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
