//! Objects as files of this machine.
//!
//! A file is written aside, synced, and renamed to its place; then the folders on the way
//! are synced, as a new name is durable only with its folder. object_store's own folder
//! syncs neither, which is why this is ours.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Once,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

use super::{Key, Read};

/// Where files are written before they have their name. No key has such a part.
const ASIDE: &str = "#aside";
/// A file that stands aside for longer was left by a process that died.
const LEFT_OVER: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Folder {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    tidied: Once,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { inner: Arc::new(Inner { root, tidied: Once::new() }) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.inner.root
    }

    pub(super) async fn put(&self, key: &Key, bytes: Bytes) -> io::Result<()> {
        let (inner, path) = (self.inner.clone(), self.path(key));
        blocking(move || inner.put(&path, &bytes)).await
    }

    pub(super) async fn get(&self, key: &Key, most: u64) -> io::Result<Option<Read>> {
        let path = self.path(key);
        blocking(move || {
            let Some((file, size)) = open(&path)? else { return Ok(None) };
            if size > most {
                return Ok(Some(Read::TooLarge { bytes: size }));
            }
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
            // A file does not grow under its name, but who knows who else writes here.
            file.take(most + 1).read_to_end(&mut bytes)?;
            let size = bytes.len() as u64;
            Ok(Some(if size > most { Read::TooLarge { bytes: size } } else { Read::Whole(bytes.into()) }))
        })
        .await
    }

    pub(super) async fn size(&self, key: &Key) -> io::Result<Option<u64>> {
        let path = self.path(key);
        blocking(move || Ok(open(&path)?.map(|(_, size)| size))).await
    }

    pub(super) async fn delete(&self, key: &Key) -> io::Result<()> {
        let path = self.path(key);
        blocking(move || match fs::remove_file(&path) {
            Ok(()) => path.parent().map_or(Ok(()), sync_folder),
            Err(error) if is_absence(error.kind()) => Ok(()),
            Err(error) => Err(error),
        })
        .await
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.inner.root.join(key.as_str())
    }
}

impl Inner {
    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let aside = self.root.join(ASIDE);
        self.make_folders(&aside)?;
        self.tidied.call_once(|| tidy(&aside));
        let (mut file, temporary) = create(&aside)?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| path.parent().map_or(Ok(()), |folder| self.make_folders(folder)))
            .and_then(|()| fs::rename(&temporary, path));
        if let Err(error) = written {
            // What is in the way now is what counts; the rest is tidied up one day.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        // All of them: another process may have made one a moment ago and not have synced it yet.
        for folder in path.ancestors().skip(1) {
            sync_folder(folder)?;
            if folder == self.root {
                break;
            }
        }
        Ok(())
    }

    /// Makes a folder and those above it, each durable in the one above. From the root on they are for this user alone.
    fn make_folders(&self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        let above = path.parent().unwrap_or(Path::new(""));
        self.make_folders(above)?;
        let mode = if path.starts_with(&self.root) { 0o700 } else { 0o777 };
        match DirBuilder::new().mode(mode).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
            Ok(()) | Err(_) => sync_folder(above),
        }
    }
}

/// Runs what waits for the disk where that is no harm.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The file and its size in bytes.
fn open(path: &Path) -> io::Result<Option<(File, u64)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absence(error.kind()) => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata.len())))
}

/// Whether there is no object: nothing there, a folder, or a file where the folder would be.
fn is_absence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::NotADirectory)
}

/// A new file with a name of its own, also beside other processes.
fn create(aside: &Path) -> io::Result<(File, PathBuf)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let path = aside.join(format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((file, path)),
            // Left by a process that had our number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match File::open(path)?.sync_all() {
        // Some file systems keep folders durable by themselves, and say so in this way.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

/// Removes what dead processes left. What cannot be removed takes up room, no more.
fn tidy(aside: &Path) {
    for entry in fs::read_dir(aside).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|at| at.elapsed().unwrap_or_default());
        if age.is_ok_and(|age| age > LEFT_OVER) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
