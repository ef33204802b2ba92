//! HTTP/1.1 on one connection, as cheap as it gets: one request, one answer with a length.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection that is kept.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("somebody listens");
        stream.set_nodelay(true).expect("it is a socket");
        Self { stream, received: Vec::with_capacity(4_096) }
    }

    /// Posts an event; answers the status.
    pub(crate) async fn post(&mut self, path: &str, signature: &str, body: &str) -> u16 {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             stripe-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(&head).await
    }

    /// Gets what is at a path; answers the status.
    pub(crate) async fn get(&mut self, path: &str, key: &str) -> u16 {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\r\n")).await
    }

    async fn send(&mut self, request: &str) -> u16 {
        self.stream.write_all(request.as_bytes()).await.expect("it takes the request");
        self.received.clear();
        loop {
            let read = self.stream.read_buf(&mut self.received).await.expect("it answers");
            assert!(read > 0, "the connection is kept");
            if let Some(status) = answered(&self.received) {
                return status;
            }
        }
    }
}

/// The status, once the whole answer is there.
fn answered(received: &[u8]) -> Option<u16> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&received[..end]).expect("a head is text");
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok())
        .unwrap_or(0);
    (received.len() >= end + length).then(|| head[9..12].parse().expect("a status is a number"))
}
