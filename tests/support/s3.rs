//! An S3 that is not ours: s3s with its store of files, which checks signatures,
//! who may and until when. It can be made to be busy or to hang.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use promostack::config::{Bucket, Objects};
use promostack::secrets::Secret;
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::SimpleAuth,
    host::MultiDomain,
    s3_error,
    service::S3ServiceBuilder,
};
use s3s_fs::FileSystem;
use tokio::{net::TcpListener, task::JoinSet};

pub const BUCKET: &str = "promo.files";
/// Below it, hosts are named after buckets, for whoever can find them.
pub const DOMAIN: &str = "spaces.test";
pub const ACCESS_KEY: &str = "DO00TESTACCESSKEY";
pub const SECRET_KEY: &str = "a/secret+key/for=tests";

/// It stops with this value.
pub struct S3 {
    pub address: SocketAddr,
    folder: Scratch,
    pub mood: Arc<Mood>,
    _tasks: JoinSet<()>,
}

/// How it answers requests that are signed well.
#[derive(Default)]
pub struct Mood {
    /// How many it answers "slow down" before it is well again.
    pub busy: AtomicU32,
    /// How many it begins and never answers.
    pub stuck: AtomicU32,
    /// How many there were.
    pub seen: AtomicUsize,
}

struct Gate(Arc<Mood>);

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "sign it"));
        }
        self.0.seen.fetch_add(1, Ordering::SeqCst);
        if take(&self.0.stuck) {
            return std::future::pending().await;
        }
        if take(&self.0.busy) { Err(s3_error!(SlowDown, "not so fast")) } else { Ok(()) }
    }
}

/// One less, if there is one.
fn take(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl S3 {
    /// Serves a bucket on a port of its own.
    pub async fn serve() -> Self {
        let folder = Scratch::new("s3");
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mood = Arc::new(Mood::default());
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        service.set_access(Gate(mood.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hosts = [address.to_string(), format!("{DOMAIN}:{}", address.port())];
        service.set_host(MultiDomain::new(&hosts).unwrap());
        let service = service.build();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let connection = server.serve_connection(TokioIo::new(socket), service.clone()).into_owned();
                connections.spawn(async move {
                    // A client that hung up is no news.
                    let _ = connection.await;
                });
            }
        });
        Self { address, folder, mood, _tasks: tasks }
    }

    /// As SPACES_… would say it.
    pub fn settings(&self) -> Bucket {
        Bucket {
            name: BUCKET.to_owned(),
            region: "nyc3".to_owned(),
            endpoint: format!("http://{}", self.address).parse().unwrap(),
            in_host: false,
            access_key: Secret::new(ACCESS_KEY.to_owned()),
            secret_key: Secret::new(SECRET_KEY.to_owned()),
        }
    }

    pub fn objects(&self) -> Objects {
        Objects::Bucket(self.settings())
    }

    /// Where the bucket's objects are as files.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }
}

/// A folder that is removed with this value.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("promostack-{name}-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
