//! What the system takes for the bytes of a redemption to come and its answer to go.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::client::whole;

/// As long as the answer to a redemption is.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n\
    promostack-position: 1000000\r\nx-request-id: 01935c2e-7b4a-7c31-9f05-5d1a8e6204b7\r\ncache-control: no-store\r\n\
    x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\ncontent-length: 152\r\n\
    date: Mon, 30 Nov 2026 12:00:00 GMT\r\n\r\n\
    {\"id\":\"01935c2e-7b4a-7c31-9f05-5d1a8e6204b7\",\"campaign_id\":\"01935c2e-7b4a-7c31-9f05-5d1a8e6204b8\",\
    \"number\":1000000,\"version\":1000002,\"position\":1000000}";

/// The address of a server that reads each request to its end and does nothing
/// but send the same answer.
pub(crate) async fn answering() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("there is room for another");
            tokio::spawn(answer(stream));
        }
    });
    address
}

async fn answer(mut stream: TcpStream) {
    let mut request = Vec::with_capacity(2_048);
    while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
        if whole(&request) {
            request.clear();
            // At the end of a round the client may be gone.
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}
