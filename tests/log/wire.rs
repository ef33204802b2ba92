//! A wire to the server that can lose an answer.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use promostack::clock::Clock;
use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixListener, UnixStream},
    task::JoinSet,
};

/// Passes connections on to the server. Ends with this value.
pub(crate) struct Wire {
    directory: PathBuf,
    port: u16,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct State {
    lose: AtomicBool,
    lost: AtomicUsize,
}

impl Wire {
    pub(crate) async fn start(server: &PgConnectOptions) -> Self {
        let directory = std::env::temp_dir().join(format!("wire-{}", Clock::system().new_id().simple()));
        std::fs::create_dir(&directory).expect("there is room for a socket");
        let port = server.get_port();
        let listener = UnixListener::bind(socket(&directory, port)).expect("a socket of its own");
        let state = Arc::new(State::default());
        let mut tasks = JoinSet::new();
        let (server, shared) = (server.clone(), state.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (server, state) = (server.clone(), shared.clone());
                connections.spawn(async move {
                    match server_socket(&server) {
                        Some(path) => pass(client, UnixStream::connect(path).await.expect("the server"), &state).await,
                        None => {
                            let address = (server.get_host(), server.get_port());
                            pass(client, TcpStream::connect(address).await.expect("the server"), &state).await;
                        }
                    }
                });
            }
        });
        Self { directory, port, state, _tasks: tasks }
    }

    /// The way to the server over this wire.
    pub(crate) fn options(&self, server: &PgConnectOptions) -> PgConnectOptions {
        server.clone().socket(&self.directory).port(self.port)
    }

    /// The next answer of the server does not arrive, and its connection ends.
    pub(crate) fn lose_an_answer(&self) {
        self.state.lose.store(true, Ordering::SeqCst);
    }

    /// Answers that were lost so far.
    pub(crate) fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // What is left of it is a file in the directory for such.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn socket(directory: &std::path::Path, port: u16) -> PathBuf {
    directory.join(format!(".s.PGSQL.{port}"))
}

fn server_socket(server: &PgConnectOptions) -> Option<PathBuf> {
    let host = server.get_host();
    let directory = server.get_socket().cloned().or_else(|| host.starts_with('/').then(|| host.into()))?;
    Some(socket(&directory, server.get_port()))
}

async fn pass(client: UnixStream, server: impl AsyncRead + AsyncWrite, state: &State) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let questions = tokio::io::copy(&mut from_client, &mut to_server);
    let answers = async {
        let mut answer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut answer).await {
            // The server sends its answer after the commit.
            if state.lose.swap(false, Ordering::SeqCst) {
                state.lost.fetch_add(1, Ordering::SeqCst);
                return;
            }
            if to_client.write_all(&answer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { _ = questions => {} () = answers => {} }
}
