//! A proxy before a server, which cuts a connection when COMMIT comes by: after the server has
//! answered it, or before the server has seen it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A running proxy. Its threads end with the connections they serve.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    /// How many more times a connection is cut.
    armed: AtomicU32,
    cuts: AtomicU32,
    /// Whether the server gets the COMMIT at which a connection is cut.
    deliver: bool,
    over: AtomicBool,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr, deliver: bool) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            armed: AtomicU32::new(0),
            cuts: AtomicU32::new(0),
            deliver,
            over: AtomicBool::new(false),
        };
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.over.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else {
                    continue;
                };
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&client, &server, &state));
            }
        });
        Proxy { address, state }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@{}/{database}", self.address)
    }

    /// Cuts the next connections that send COMMIT.
    pub(crate) fn cut_at_commit(&self, times: u32) {
        self.state.armed.store(times, Ordering::SeqCst);
    }

    pub(crate) fn cuts(&self) -> u32 {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

/// A simple query that is COMMIT and nothing else.
const COMMIT: &[u8] = b"Q\x00\x00\x00\x0bCOMMIT\x00";

fn serve(client: &TcpStream, server: &TcpStream, state: &State) {
    // Whether the next answer is to be lost.
    let mute = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let back = scope.spawn(|| pump(server, client, &mute));
        let (mut from, mut to) = (client, server);
        let mut buffer = vec![0; 65536];
        while let Ok(read) = from.read(&mut buffer) {
            let sent = &buffer[..read];
            let commits = sent.ends_with(COMMIT);
            let take = |left: u32| left.checked_sub(1);
            let cut = commits
                && state.armed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok();
            if cut {
                state.cuts.fetch_add(1, Ordering::SeqCst);
                mute.store(true, Ordering::SeqCst);
            }
            if read == 0 || cut && !state.deliver || to.write_all(sent).is_err() {
                break;
            }
            if cut {
                // The server has answered when this ends, and nobody heard it.
                drop(back.join());
                drop(client.shutdown(Shutdown::Both));
                drop(server.shutdown(Shutdown::Both));
                return;
            }
        }
        drop(server.shutdown(Shutdown::Write));
        drop(back.join());
        drop(client.shutdown(Shutdown::Both));
    });
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, mute: &AtomicBool) {
    let mut buffer = vec![0; 65536];
    while let Ok(read) = from.read(&mut buffer) {
        if mute.load(Ordering::SeqCst) {
            return;
        }
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
