//! How one flags server is started, and the limits it keeps while it runs.

use ripcord_flags::BrokenRules;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How to start a flags server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The flags document in force, in flagd's format.
    pub file: PathBuf,
    /// Where clients ask.
    pub listen: SocketAddr,
    /// The keys of clients, if any are asked for. Without keys only loopback addresses are served.
    pub keys: Option<PathBuf>,
    /// The web origins whose pages may read answers; empty means all.
    pub origins: Vec<String>,
    /// What becomes of a document with rules that cannot be compiled.
    pub broken_rules: BrokenRules,
    /// Where is said what people should know: a document was refused, a copy not saved.
    pub say: fn(&str),
    /// The limits.
    pub limits: Limits,
}

/// Bounds on time, number and size.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How often the file is looked at.
    pub look_every: Duration,
    /// The largest request body; beyond it the answer is 413.
    pub body_bytes_max: usize,
    /// The largest head of a request.
    pub head_bytes_max: usize,
    /// How many connections may be open; beyond it, new ones wait in the backlog.
    pub connections_max: usize,
    /// How many change streams may be open; beyond it the answer is 503.
    pub streams_max: usize,
    /// How many clients are remembered for confirming a change.
    pub clients_max: usize,
    /// How long a client without a change stream is counted after it fetched.
    pub client_window: Duration,
    /// How long a client may take to send a request's head; also how long it may stay idle.
    pub head_within: Duration,
    /// How long it may take to send the body.
    pub body_within: Duration,
    /// How long it may refuse to take what was answered.
    pub stall_max: Duration,
    /// How many bytes the system may hold for one client that does not read. Left to itself it
    /// would hold megabytes for each.
    pub send_buffer_bytes: u32,
    /// How often an idle change stream gets a sign of life.
    pub heartbeat_every: Duration,
    /// For how long a token of a change stream is handed out. It is good twice as long.
    pub token_period: Duration,
    /// Requests per second and client; nothing means no limit.
    pub rate_max: Option<u32>,
    /// How long nobody is held to the rate after a change.
    pub rate_pause: Duration,
    /// How often what was counted is written beside the document.
    pub counts_every: Duration,
    /// How long requests in flight may take to end when the server stops.
    pub stop_within: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            look_every: Duration::from_millis(5),
            body_bytes_max: 1 << 20,
            head_bytes_max: 16 << 10,
            connections_max: 20_000,
            streams_max: 10_000,
            clients_max: 100_000,
            client_window: Duration::from_mins(5),
            head_within: Duration::from_mins(1),
            body_within: Duration::from_secs(10),
            stall_max: Duration::from_secs(30),
            send_buffer_bytes: 256 << 10,
            heartbeat_every: Duration::from_secs(15),
            token_period: Duration::from_hours(1),
            rate_max: None,
            rate_pause: Duration::from_mins(1),
            counts_every: Duration::from_mins(1),
            stop_within: Duration::from_secs(5),
        }
    }
}
