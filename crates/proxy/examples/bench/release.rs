//! A release that answers at once, well or badly as told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Result;

const WELL: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const BADLY: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nno";
const HEALTH: &[u8] = b"GET /up ";

/// One instance.
#[derive(Clone)]
pub(crate) struct Release {
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Log>,
}

/// What it was asked, by a clock that all share.
pub(crate) struct Log {
    clock: Instant,
    is_bad: AtomicBool,
    errors: AtomicU64,
    /// The error with this number crosses the line.
    line: u64,
    crossed_us: AtomicU64,
    last_us: AtomicU64,
}

impl Log {
    fn now_us(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// From now on it answers badly, and counts anew.
    pub(crate) fn turn(&self, is_bad: bool) {
        self.errors.store(0, Ordering::SeqCst);
        self.crossed_us.store(0, Ordering::SeqCst);
        self.is_bad.store(is_bad, Ordering::SeqCst);
    }

    /// From the request that crossed the line to the last one, in milliseconds.
    pub(crate) fn crossed_to_last_ms(&self) -> Option<f64> {
        let crossed = self.crossed_us.load(Ordering::SeqCst);
        let last = self.last_us.load(Ordering::SeqCst);
        (crossed > 0).then(|| last.saturating_sub(crossed) as f64 / 1_000.0)
    }

    fn answer(&self) -> &'static [u8] {
        let now = self.now_us();
        self.last_us.fetch_max(now, Ordering::SeqCst);
        if !self.is_bad.load(Ordering::SeqCst) {
            return WELL;
        }
        if self.errors.fetch_add(1, Ordering::SeqCst) + 1 == self.line {
            self.crossed_us.store(now, Ordering::SeqCst);
        }
        BADLY
    }
}

impl Release {
    /// `line` is the number of the error that crosses the line.
    pub(crate) async fn start(line: u64) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let [errors, crossed_us, last_us] = [(); 3].map(|()| AtomicU64::new(0));
        let is_bad = AtomicBool::new(false);
        let clock = Instant::now();
        let log = Arc::new(Log { clock, is_bad, errors, line, crossed_us, last_us });
        let served = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Ok(Self { address, log })
    }
}

/// Requests without bodies, one after the other.
async fn serve(mut stream: TcpStream, log: Arc<Log>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4_096];
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await?;
        if read == 0 {
            return Ok(());
        }
        length += read;
        if !buffer[..length].ends_with(b"\r\n\r\n") {
            continue;
        }
        let answer = if buffer.starts_with(HEALTH) { WELL } else { log.answer() };
        stream.write_all(answer).await?;
        length = 0;
    }
}
