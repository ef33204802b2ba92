//! A load balancer, as stands before several processes: each request goes to
//! the next process; one that cannot be reached is an error to the caller.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use poem::{Body, Endpoint, Request, Response, Server, http::StatusCode, listener::TcpAcceptor};
use promostack::integrations::http_client;
use tokio::{net::TcpListener, task::JoinSet};

pub struct Balancer {
    /// For PUBLIC_URL.
    pub url: String,
    backends: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

struct Forward {
    backends: Arc<Mutex<Vec<String>>>,
    next: AtomicUsize,
    http: reqwest::Client,
}

impl Balancer {
    pub async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let backends = Arc::new(Mutex::new(vec![]));
        let forward = Forward { backends: backends.clone(), next: AtomicUsize::new(0), http: http_client().unwrap() };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(forward).await.unwrap();
        });
        Self { url, backends, _tasks: tasks }
    }

    /// Requests go to these from now on.
    pub fn to(&self, urls: &[&str]) {
        *self.backends.lock().unwrap() = urls.iter().map(|url| (*url).to_owned()).collect();
    }
}

impl Endpoint for Forward {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let backend = {
            let backends = self.backends.lock().unwrap();
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            backends.get(turn % backends.len().max(1)).cloned()
        };
        let unreachable = || Response::builder().status(StatusCode::BAD_GATEWAY).finish();
        let Some(backend) = backend else { return Ok(unreachable()) };
        let body = request.take_body().into_bytes().await?;
        let mut forwarded = self.http.request(request.method().clone(), format!("{backend}{}", request.uri()));
        for (name, value) in request.headers() {
            if name != "host" && name != "content-length" {
                forwarded = forwarded.header(name, value);
            }
        }
        let Ok(answer) = forwarded.body(body).send().await else { return Ok(unreachable()) };
        let status = answer.status();
        let Ok(body) = answer.bytes().await else { return Ok(unreachable()) };
        Ok(Response::builder().status(status).body(Body::from_bytes(body)))
    }
}
