//! Ripcord's data plane: a reverse proxy that moves traffic between releases and loses no request.
//!
//! It runs as its own process, serves on without the controller, and knows releases only as opaque
//! names with shares and addresses. It must not know plans, databases, flags or the ledger.
//!
//! # What it promises
//! - **An acknowledged apply is drained.** [`Control::apply`] returns when nobody is inside a
//!   release that lost its share, or says how many were cut off at the deadline. Whoever stops the
//!   old release then breaks nothing. The swap is a pointer; the meaning of the acknowledgement is
//!   the product. `gate.rs` holds the argument, and loom checks it.
//! - **What is in force is saved.** The state is durable before it is put in force; after a crash
//!   the proxy comes back with it, or refuses to start. It never starts empty by mistake.
//! - **The past cannot speak.** A state under an older fence, or of an older generation, is
//!   refused; a generation names one content.
//! - **What nobody watches ends.** A state may hold on a lease; when nobody renews it, the proxy
//!   goes by itself to the split that the lease names, and says so.
//! - **What is counted can be compared.** A request is counted under the state by whose chance it
//!   was assigned, once, by its first attempt, and while it hangs, too.
//! - **Nothing is sent twice that may have been acted on**, and nothing waits without a bound.
//!
//! # The way of a request
//! `serve` admits it through the `gate` (waiting in `hold` while requests are held), `table`
//! chooses its release, `forward` sends it over a connection of the target's `pool`, and the
//! answer's body (`answer_body`) keeps it inside the release until the last byte. `board` is the
//! other side: it takes states from `control`, saves them in `store` and drains, and `board::lease`
//! does so when nobody else does. How the table draws is in `line`, `draw` and `rule`; `trial` is the part
//! of one request in the comparison that `period` counts.
//!
//! # At 3 a.m.
//! Every answer made by the proxy itself has an `x-ripcord-error` header that says which of its
//! errors it is; every request that was given to a release has `x-ripcord-release`. If neither is
//! there, the answer came from somewhere else.

mod ages;
mod answer;
mod answer_body;
mod arm;
mod board;
mod control;
mod cookie;
mod counts;
mod draw;
mod error;
mod forward;
mod gate;
#[cfg(all(test, feature = "loom"))]
mod gate_model;
mod headers;
mod hold;
mod lease;
mod line;
mod log;
mod options;
mod period;
mod pool;
mod proxy;
mod random;
mod release;
mod request_body;
mod rule;
mod serve;
mod state;
mod store;
mod sync;
mod table;
mod target;
mod trial;
mod tunnel;
mod users;
mod websocket;

pub use arm::Arm;
pub use control::Control;
pub use control::wire::{Applied, InFlightCounts, Observed, Renewed};
pub use counts::{Counted, Counts, Histogram};
pub use error::{ProxyError, Refusal};
pub use lease::LeaseLeft;
pub use options::{Limits, Options};
pub use period::{Period, Periods};
pub use proxy::{Proxy, Running, run};
pub use state::{
    Draw, Format, Lapsed, Lease, Match, Pattern, ReleaseName, Requests, Rule, Share, State, Sticky,
    StickyKey,
};
