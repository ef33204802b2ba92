//! Object storage: uploaded templates and rendered files, in a bucket of an S3-compatible
//! service or, when none is configured, in a folder of this machine.
//!
//! An object is written whole or not at all, and is durable when `put` returns. Name it
//! by [its content](Key::of_content) and the same upload is the same object: repeating it
//! changes nothing, and a crash before anything refers to it leaves an orphan, no harm.
//!
//! The folder is for one machine: it gives out no addresses, and keeps no content types,
//! so whoever remembers a key remembers the type beside it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::Mutex, time::Instant};

use crate::{config::Objects, secrets::Secret};

mod bucket;
mod error;
mod folder;
mod key;
#[cfg(test)]
mod tests;
mod wire;

use bucket::Bucket;
use folder::Folder;

pub use error::{Cause, StorageError};
pub use key::{Key, KeyError};
pub use wire::Answer;

/// The largest object, in bytes: one is held in memory whole.
pub const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// How long one operation may take, with all its attempts.
const PATIENCE: Duration = Duration::from_secs(30);

/// A signature holds for at most a week (AWS, "Authenticating Requests: Using Query
/// Parameters", `X-Amz-Expires`).
const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long an answer to "is it well?" is good for. Anyone may ask; each answer costs two requests.
const STANDING_HOLDS: Duration = Duration::from_secs(30);
/// How long such an answer may take.
const STANDING_PATIENCE: Duration = Duration::from_secs(2);

/// Where the objects are. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    place: Arc<Place>,
    standing: Arc<Mutex<Option<(Instant, bool)>>>,
    patience: Duration,
}

enum Place {
    Folder(Folder),
    Bucket(Bucket),
}

/// What keeps the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// An S3-compatible service.
    S3,
    /// A folder of this machine.
    Folder,
}

impl Storage {
    /// Opens the storage. Nothing happens: no request, no folder made; that is for the first write.
    ///
    /// # Errors
    /// [`StorageError::Failed`] when the settings make no client.
    pub fn open(settings: &Objects, http: reqwest::Client) -> Result<Self, StorageError> {
        let place = match settings {
            Objects::Folder(root) => Place::Folder(Folder::new(root.clone())),
            Objects::Bucket(bucket) => {
                Place::Bucket(Bucket::new(bucket, http).map_err(|error| StorageError::of_library("open", error))?)
            }
        };
        Ok(Self { place: Arc::new(place), standing: Arc::default(), patience: PATIENCE })
    }

    /// The same storage with another limit on the time one operation may take.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// What keeps the objects.
    #[must_use]
    pub fn keeper(&self) -> Keeper {
        match &*self.place {
            Place::Folder(_) => Keeper::Folder,
            Place::Bucket(_) => Keeper::S3,
        }
    }

    /// Writes an object, in place of one that was there. Durable when it returns; until
    /// then the old one is read. After an error it may have been written all the same.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn put(&self, key: &Key, bytes: Bytes, content_type: &str) -> Result<(), StorageError> {
        let operation = "put";
        check_size(operation, bytes.len() as u64)?;
        if !is_content_type(content_type) {
            return Err(StorageError::ContentType { operation });
        }
        match &*self.place {
            Place::Folder(folder) => self.disk(operation, folder.put(key, bytes)).await,
            Place::Bucket(bucket) => self.library(operation, bucket.put(key, bytes, content_type)).await,
        }
    }

    /// Reads an object; `None` when there is none.
    ///
    /// # Errors
    /// [`StorageError`]; [`StorageError::TooLarge`] before more than [`MOST_BYTES`] are read.
    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>, StorageError> {
        let operation = "get";
        let read = match &*self.place {
            Place::Folder(folder) => self.disk(operation, folder.get(key, MOST_BYTES)).await,
            Place::Bucket(bucket) => self.library(operation, bucket.get(key, MOST_BYTES)).await,
        };
        match read? {
            None => Ok(None),
            Some(Read::Whole(bytes)) => Ok(Some(bytes)),
            Some(Read::TooLarge { bytes }) => Err(StorageError::TooLarge { operation, bytes, most: MOST_BYTES }),
        }
    }

    /// The size of an object in bytes; `None` when there is none.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn size(&self, key: &Key) -> Result<Option<u64>, StorageError> {
        let operation = "size";
        match &*self.place {
            Place::Folder(folder) => self.disk(operation, folder.size(key)).await,
            Place::Bucket(bucket) => self.library(operation, bucket.size(key)).await,
        }
    }

    /// Whether there is such an object.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn exists(&self, key: &Key) -> Result<bool, StorageError> {
        Ok(self.size(key).await?.is_some())
    }

    /// Deletes an object. That there is none is success.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        let operation = "delete";
        match &*self.place {
            Place::Folder(folder) => self.disk(operation, folder.delete(key)).await,
            Place::Bucket(bucket) => self.library(operation, bucket.delete(key)).await,
        }
    }

    /// An address under which anybody can read the object for a while, whole seconds;
    /// it is a secret for as long. `None` when the storage gives out none: a folder.
    /// The object need not exist.
    ///
    /// # Errors
    /// [`StorageError::Lifetime`] when the time is less than a second or more than a week.
    pub async fn presigned_get(&self, key: &Key, lifetime: Duration) -> Result<Option<Secret>, StorageError> {
        let operation = "presigned get";
        if lifetime < Duration::from_secs(1) || lifetime > LONGEST_LIFETIME {
            return Err(StorageError::Lifetime { operation, lifetime });
        }
        match &*self.place {
            Place::Folder(_) => Ok(None),
            Place::Bucket(bucket) => self.library(operation, bucket.presigned_get(key, lifetime)).await.map(Some),
        }
    }

    /// Writes a small object and reads it back.
    ///
    /// # Errors
    /// What keeps the storage from being of use.
    pub async fn check(&self) -> Result<(), StorageError> {
        // The same for every process, so that they do not mind each other.
        const PROBE: &[u8] = b"PromoStack writes this to see that it can, and reads it back.\n";
        let key = Key::probe();
        self.put(&key, Bytes::from_static(PROBE), "text/plain").await?;
        match self.get(&key).await? {
            Some(bytes) if bytes == PROBE => Ok(()),
            _ => Err(StorageError::Forgetful { operation: "check" }),
        }
    }

    /// Whether a [check](Self::check) of the last half minute succeeded; the first to ask
    /// waits for one, two seconds at most. A failure is logged here.
    pub async fn is_well(&self) -> bool {
        let mut standing = self.standing.lock().await;
        if let Some((asked, well)) = *standing
            && asked.elapsed() < STANDING_HOLDS
        {
            return well;
        }
        let patience = STANDING_PATIENCE.min(self.patience);
        let checked = tokio::time::timeout(patience, self.check())
            .await
            .unwrap_or(Err(StorageError::TimedOut { operation: "check", patience }));
        if let Err(error) = &checked {
            tracing::warn!(error = error as &dyn std::error::Error, "object storage is not well");
        }
        *standing = Some((Instant::now(), checked.is_ok()));
        checked.is_ok()
    }

    async fn disk<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = std::io::Result<T>>,
    ) -> Result<T, StorageError> {
        let done = self.in_time(operation, work).await?;
        done.map_err(|error| StorageError::of_disk(operation, error))
    }

    async fn library<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StorageError> {
        let done = self.in_time(operation, work).await?;
        done.map_err(|error| StorageError::of_library(operation, error))
    }

    async fn in_time<T>(&self, operation: &'static str, work: impl Future<Output = T>) -> Result<T, StorageError> {
        let patience = self.patience;
        tokio::time::timeout(patience, work).await.map_err(|_| StorageError::TimedOut { operation, patience })
    }
}

/// An object that is there.
enum Read {
    Whole(Bytes),
    /// Left unread.
    TooLarge {
        bytes: u64,
    },
}

fn check_size(operation: &'static str, bytes: u64) -> Result<(), StorageError> {
    if bytes > MOST_BYTES { Err(StorageError::TooLarge { operation, bytes, most: MOST_BYTES }) } else { Ok(()) }
}

/// A media type can stand in a header: `type/subtype`, maybe with parameters.
fn is_content_type(text: &str) -> bool {
    let name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let whole = essence.trim_end().split_once('/').is_some_and(|(kind, subtype)| name(kind) && name(subtype));
    whole && text.len() <= 100 && parameters.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// In words, for whoever runs it.
impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.place {
            Place::Folder(folder) => write!(f, "folder {}", folder.root().display()),
            Place::Bucket(bucket) => write!(f, "bucket {bucket}"),
        }
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").field("place", &self.to_string()).finish_non_exhaustive()
    }
}
