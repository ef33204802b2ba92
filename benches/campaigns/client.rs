//! A client that costs next to nothing, so that what is measured is the server:
//! one connection a sender, kept open, each request written as it is and each
//! answer read to its `Content-Length`.

use promostack::secrets::Secret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Mutex,
};

/// As many connections as there are senders.
pub(crate) struct Clients {
    address: String,
    key: Secret,
    connections: Vec<Mutex<Option<TcpStream>>>,
}

async fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is a socket");
    stream
}

impl Clients {
    /// To a site at `url`: connected one after the other, and before anything is
    /// measured, for a thousand at once are more than a listener takes.
    pub(crate) async fn connected(url: &str, key: &Secret, senders: usize) -> Self {
        let address = url.trim_start_matches("http://").to_owned();
        let mut connections = Vec::with_capacity(senders);
        for _ in 0..senders {
            connections.push(Mutex::new(Some(connect(&address).await)));
        }
        Self { address, key: key.clone(), connections }
    }

    /// Sends a request by the connection of the `n`th command's sender, and
    /// makes sure that it succeeds.
    pub(crate) async fn send(&self, n: u64, method: &str, path: &str, body: &str) {
        let (address, key) = (&self.address, self.key.reveal());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len(),
        );
        let mut connection = self.connections[n as usize % self.connections.len()].lock().await;
        // Given up in the middle of an answer, it must not be used again.
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => connect(address).await,
        };
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = Vec::with_capacity(2_048);
        loop {
            assert!(stream.read_buf(&mut answer).await.expect("it answers") > 0, "it hung up");
            if whole(&answer) {
                break;
            }
        }
        assert!(answer.starts_with(b"HTTP/1.1 20"), "{path}: {}", String::from_utf8_lossy(&answer));
        *connection = Some(stream);
    }
}

/// Whether an answer has come to its end.
pub(crate) fn whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = std::str::from_utf8(&answer[..end]).expect("headers are text");
    let length = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().expect("a length"))
    });
    answer.len() >= end + 4 + length.expect("it says how long it is")
}
