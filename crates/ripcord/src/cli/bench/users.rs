//! Users at a steady pace on keep-alive connections, and a note of each of their requests: when it
//! went out, when its answer was there, and whose it was. They are light, so that most of the
//! machine is left to what is measured.

use crate::failure::{Code, Failure};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often each of them asks.
const PACE: Duration = Duration::from_millis(10);

/// How long an answer may take before the request counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

const REQUEST: &[u8] = b"GET /version HTTP/1.1\r\nhost: shop\r\n\r\n";

/// The most bytes of an answer.
const ANSWER_MAX: usize = 64 * 1024;

/// A request and its answer; times are of the wall clock, as the ledger's are.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) start_us: i64,
    pub(super) end_us: i64,
    /// Who answered; none when nobody did.
    pub(super) release: Option<String>,
    /// 0 when nothing was answered.
    pub(super) status: u16,
}

/// Users at work.
#[derive(Debug)]
pub(super) struct Users {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Asked>, Failure>>,
}

impl Users {
    /// So many requests a second, until they are stopped.
    pub(super) fn start(to: SocketAddr, rps: u32) -> Users {
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| failed(&error))?;
            runtime.block_on(all(to, rps, &told))
        });
        Users { stopped, thread }
    }

    /// Ends the load, and gives what came of each request, in the order of the answers.
    pub(super) fn stop(self) -> Result<Vec<Asked>, Failure> {
        self.stopped.store(true, Ordering::Relaxed);
        let joined = self.thread.join();
        let mut asked = joined.map_err(|_| Failure::new(Code::Bug, "the load panicked"))??;
        asked.sort_by_key(|one| one.end_us);
        Ok(asked)
    }
}

fn failed(error: &std::io::Error) -> Failure {
    Failure::new(Code::DemoFailed, format!("the load cannot be made: {error}"))
}

async fn all(to: SocketAddr, rps: u32, stopped: &Arc<AtomicBool>) -> Result<Vec<Asked>, Failure> {
    let each_per_second = 1_000 / u32::try_from(PACE.as_millis()).unwrap_or(1);
    let users = rps.div_ceil(each_per_second).max(1);
    let mut tasks = JoinSet::new();
    for number in 0..users {
        // Spread over the pace, so that they do not come in a crowd.
        let late = PACE * number / users;
        let stopped = Arc::clone(stopped);
        tasks.spawn(async move {
            tokio::time::sleep(late).await;
            user(to, &stopped).await
        });
    }
    let mut asked = Vec::new();
    while let Some(one) = tasks.join_next().await {
        let of_one = one.map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
        asked.extend(of_one.map_err(|error| failed(&error))?);
    }
    Ok(asked)
}

async fn user(to: SocketAddr, stopped: &AtomicBool) -> std::io::Result<Vec<Asked>> {
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut stream = connect(to).await?;
    let mut buffer = Vec::with_capacity(4_096);
    let mut asked = Vec::new();
    while !stopped.load(Ordering::Relaxed) {
        ticks.tick().await;
        let start_us = now_us();
        let answer = timeout(PATIENCE, ask(&mut stream, &mut buffer)).await;
        let answer = answer.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let is_lost = answer.is_err();
        let (status, release) = answer.unwrap_or_default();
        asked.push(Asked { start_us, end_us: now_us(), release, status });
        if is_lost {
            stream = connect(to).await?;
        }
    }
    Ok(asked)
}

async fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One request: the status of its answer, and who answered.
async fn ask(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> std::io::Result<(u16, Option<String>)> {
    stream.write_all(REQUEST).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = whole(buffer) {
            return Ok(answer);
        }
        if buffer.len() > ANSWER_MAX {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
}

/// The status and the release, once all of the answer is there.
fn whole(bytes: &[u8]) -> Option<(u16, Option<String>)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(bytes.get(..head)?).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let (mut length, mut release) = (0_usize, None);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        } else if name.eq_ignore_ascii_case("x-ripcord-release") {
            release = Some(value.to_owned());
        }
    }
    (bytes.len() >= head + 4 + length).then_some((status, release))
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn answers_are_read_to_their_end() {
        let answer = b"HTTP/1.1 500 No\r\nX-Ripcord-Release: v3\r\ncontent-length: 2\r\n\r\nno";
        assert_eq!(whole(answer), Some((500, Some("v3".to_owned()))));
        for length in 0..answer.len() {
            assert_eq!(whole(&answer[..length]), None, "{length}");
        }
    }
}
