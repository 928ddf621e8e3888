//! The health check: one small HTTP request, written and read here.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Only the status line matters; more than this is not read for it.
const STATUS_LINE_BYTES: usize = 64;

/// Whether a GET of the path is answered with a status between 200 and 299 in time.
pub(crate) fn answers(address: SocketAddr, path: &str, within: Duration) -> bool {
    status(address, path, within).is_some_and(|status| (200..300).contains(&status))
}

/// Asks several at the same time; the answers are in the order of the questions.
pub(crate) fn answer(targets: &[(SocketAddr, &str)], within: Duration) -> Vec<bool> {
    if let [(address, path)] = targets {
        return vec![answers(*address, path, within)];
    }
    std::thread::scope(|scope| {
        let ask = |&(address, path): &(SocketAddr, &str)| {
            let path = path.to_owned();
            scope.spawn(move || answers(address, &path, within))
        };
        let asked: Vec<_> = targets.iter().map(ask).collect();
        asked.into_iter().map(|answer| answer.join().unwrap_or(false)).collect()
    })
}

fn status(address: SocketAddr, path: &str, within: Duration) -> Option<u16> {
    let end = Instant::now() + within;
    let mut stream = TcpStream::connect_timeout(&address, within).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_write_timeout(Some(within)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut line = Vec::new();
    let mut block = [0; STATUS_LINE_BYTES];
    while line.len() < STATUS_LINE_BYTES && !line.contains(&b'\n') {
        let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(&mut block).ok()? {
            0 => break,
            read => line.extend_from_slice(&block[..read]),
        }
    }
    parse_status(&line)
}

/// The status of `HTTP/1.1 200 OK`; none for anything that is not such a line.
fn parse_status(line: &[u8]) -> Option<u16> {
    let text = line.split(|byte| *byte == b'\r' || *byte == b'\n').next()?;
    let text = std::str::from_utf8(text).ok()?.strip_prefix("HTTP/1.")?;
    let digits = text.get(2..5)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn status_lines() {
        let check = |line: &str, expected: Option<u16>| {
            assert_eq!(parse_status(line.as_bytes()), expected, "{line}");
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", Some(200));
        check("HTTP/1.0 503 no\r\n", Some(503));
        check("HTTP/1.1 204\r\n", Some(204));
        check("HTTP/1.1 +20 x\r\n", None);
        check("HTTP/2 200\r\n", None);
        check("SSH-2.0-OpenSSH\r\n", None);
        check("", None);
    }

    #[test]
    fn a_server_that_says_nothing_is_not_waited_for() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let began = Instant::now();
        assert_eq!(
            answer(&[(address, "/"), (address, "/")], Duration::from_millis(80)),
            [false; 2]
        );
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        drop(silent);
        assert!(!answers(address, "/", Duration::from_millis(80)));
    }
}
