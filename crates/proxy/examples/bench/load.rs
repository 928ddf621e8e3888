//! Users: keep-alive connections that ask again and again, at full speed or at a steady pace.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::Result;

/// Users at work; they stop when dropped.
pub(crate) struct Load {
    pub(crate) seen: Arc<Seen>,
    _clients: JoinSet<()>,
}

/// What the users saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Answers of a release, good or bad.
    pub(crate) answered: AtomicU64,
    /// Answers that the proxy had to make itself, and connections that broke.
    pub(crate) lost: AtomicU64,
    stopped: AtomicBool,
}

impl Load {
    /// Each of the clients asks every `pace`, or as fast as it can.
    pub(crate) async fn start(
        to: SocketAddr,
        clients: u32,
        pace: Option<Duration>,
    ) -> Result<Self> {
        let seen = Arc::new(Seen::default());
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            tasks.spawn(client(stream, pace, Arc::clone(&seen)));
        }
        Ok(Self { seen, _clients: tasks })
    }

    pub(crate) fn answered(&self) -> u64 {
        self.seen.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.seen.stopped.store(true, Ordering::Relaxed);
    }
}

async fn client(mut stream: TcpStream, pace: Option<Duration>, seen: Arc<Seen>) {
    let mut ticks = pace.map(interval);
    if let Some(ticks) = &mut ticks {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    }
    let mut buffer = vec![0; 4_096];
    while !seen.stopped.load(Ordering::Relaxed) {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        match ask(&mut stream, &mut buffer).await {
            Ok(true) => seen.answered.fetch_add(1, Ordering::Relaxed),
            Ok(false) => seen.lost.fetch_add(1, Ordering::Relaxed),
            Err(_) => {
                seen.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
    }
}

/// Whether a release answered; all of its answers are two bytes long.
async fn ask(stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<bool> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await?;
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        length += read;
        let answer = &buffer[..length];
        if answer.ends_with(b"\r\n\r\nok") || answer.ends_with(b"\r\n\r\nno") {
            return Ok(true);
        }
        if contains(answer, b"x-ripcord-error") && answer.ends_with(b"\n") {
            return Ok(false);
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
