//! The proxy's side of the control socket.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::board::Board;
use crate::control::path::ShortPath;
use crate::control::wire::{Call, MAX_LINE_BYTES, Reply};
use crate::error::{ProxyError, Refusal};
use crate::options::ms;

/// How many conversations there may be at once.
const CONVERSATIONS: usize = 64;
/// How long a question may take to arrive, or an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest drain that can be asked for: a day.
const MAX_DRAIN_MS: u64 = 24 * 60 * 60 * 1000;

/// The control socket. Its file goes when this is dropped.
pub(crate) struct ControlListener {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlListener {
    /// Makes the socket, in place of one that a killed proxy left behind.
    pub(crate) fn bind(path: &Path) -> Result<Self, ProxyError> {
        let failed = |source| ProxyError::ControlSocket { path: path.to_owned(), source };
        let short = ShortPath::new(path).map_err(failed)?;
        if let Ok(found) = fs::symlink_metadata(path) {
            if !found.file_type().is_socket() {
                return Err(failed(io::Error::other("there is a file that is no socket")));
            }
            if StdStream::connect(short.as_path()).is_ok() {
                return Err(ProxyError::InUse { path: path.to_owned() });
            }
            fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(short.as_path()).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers until it is dropped.
    pub(crate) async fn run(self, board: Arc<Board>) {
        let room = Arc::new(Semaphore::new(CONVERSATIONS));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let board = Arc::clone(&board);
                    tokio::spawn(async move {
                        // The other end hears of it, or is gone; there is nobody else to tell.
                        let _ = converse(stream, board).await;
                        drop(place);
                    });
                }
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

impl Drop for ControlListener {
    fn drop(&mut self) {
        // A leftover is recognised at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, board: Arc<Board>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(MAX_LINE_BYTES));
    let mut line = String::new();
    timeout(PATIENCE, reader.read_line(&mut line)).await??;
    if line.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let reply = match serde_json::from_str(&line) {
        Ok(call) => {
            let mut reply = pin!(reply_to(call, Arc::clone(&board)));
            tokio::select! {
                reply = &mut reply => reply,
                // What was asked for is done nevertheless; but nobody watches any more.
                _ = reader.read_u8() => {
                    board.hung_up().await;
                    reply.await
                }
            }
        }
        Err(error) => Reply::Refused(Refusal::Malformed { why: error.to_string() }),
    };
    let mut answer = serde_json::to_vec(&reply)?;
    answer.push(b'\n');
    timeout(PATIENCE, writer.write_all(&answer)).await?
}

async fn reply_to(call: Call, board: Arc<Board>) -> Reply {
    match call {
        Call::Apply { state, drain_deadline_ms } => {
            let drain = ms(drain_deadline_ms.min(MAX_DRAIN_MS));
            board.apply(*state, drain).await.map_or_else(Reply::Refused, Reply::Applied)
        }
        Call::Observe => Reply::Observed(Box::new(board.observe().await)),
        Call::Counts => Reply::Counted(board.counted().await),
        Call::Periods => Reply::Periods(board.periods().await),
        Call::Renew { fence, generation } => {
            board.renew(fence, generation).await.map_or_else(Reply::Refused, Reply::Renewed)
        }
    }
}
