//! A plain HTTP/1.1 client over one kept connection. It retries nothing and hides nothing.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A kept connection.
pub(crate) struct Client {
    pub(crate) stream: BufReader<TcpStream>,
}

/// An answer; the body may come later.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn error(&self) -> Option<&str> {
        self.header("x-ripcord-error")
    }
}

/// One request over a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    Client::connect(address).await?.get(path).await
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.request("GET", path, "", "").await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Result<Answer> {
        self.request("POST", path, &format!("content-length: {}\r\n", body.len()), body).await
    }

    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Result<Answer> {
        self.send(&format!("{method} {path} HTTP/1.1\r\nhost: shop\r\n{headers}\r\n{body}"))
            .await?;
        self.answer().await
    }

    pub(crate) async fn send(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes()).await
    }

    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        let mut answer = self.head().await?;
        if answer.header("transfer-encoding").is_some() {
            while let Some(piece) = self.chunk().await? {
                answer.body += &piece;
            }
        } else if let Some(length) = answer.header("content-length") {
            let mut body = vec![0; length.parse().unwrap()];
            self.stream.read_exact(&mut body).await?;
            answer.body = String::from_utf8(body).unwrap();
        }
        Ok(answer)
    }

    /// The status line and the headers.
    pub(crate) async fn head(&mut self) -> Result<Answer> {
        let line = self.line().await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Error::other(format!("no status line: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_owned(), value.to_owned()));
        }
        Ok(Answer { status, headers, body: String::new() })
    }

    /// One chunk of a chunked body; none at its proper end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<String>> {
        let line = self.line().await?;
        let length = usize::from_str_radix(&line, 16).map_err(Error::other)?;
        let mut piece = vec![0; length + 2];
        self.stream.read_exact(&mut piece).await?;
        piece.truncate(length);
        Ok((length > 0).then(|| String::from_utf8(piece).unwrap()))
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 || !line.ends_with('\n') {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
