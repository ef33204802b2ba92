//! Objects in a bucket of an S3-compatible service.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use object_store::{
    Attribute, Attributes, BackoffConfig, Error, ObjectStore, ObjectStoreExt, PutOptions, Result, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
    signer::Signer,
};
use reqwest::Method;

use super::{Key, Read, wire::Wire};
use crate::{config, secrets::Secret};

/// Everything we ask of a bucket may be repeated. A store that is away for a moment is
/// waited for; one that is away for longer is for the job to try again.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(20),
    }
}

pub(super) struct Bucket {
    store: AmazonS3,
    /// In words.
    place: String,
}

impl Bucket {
    pub(super) fn new(settings: &config::Bucket, http: reqwest::Client) -> Result<Self> {
        let endpoint = settings.endpoint.as_str().trim_end_matches('/');
        let store = AmazonS3Builder::new()
            .with_bucket_name(&settings.name)
            .with_region(&settings.region)
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(settings.in_host)
            .with_access_key_id(settings.access_key.reveal())
            .with_secret_access_key(settings.secret_key.reveal())
            .with_retry(retries())
            .with_http_connector(Wire::new(http))
            .build()?;
        Ok(Self { store, place: format!("{} at {endpoint}", settings.name) })
    }

    pub(super) async fn put(&self, key: &Key, bytes: Bytes, content_type: &str) -> Result<()> {
        let attributes = Attributes::from_iter([(Attribute::ContentType, content_type.to_owned())]);
        self.store.put_opts(&path(key)?, bytes.into(), PutOptions { attributes, ..PutOptions::default() }).await?;
        Ok(())
    }

    pub(super) async fn get(&self, key: &Key, most: u64) -> Result<Option<Read>> {
        let Some(found) = present(self.store.get(&path(key)?).await)? else { return Ok(None) };
        let said = found.meta.size;
        if said > most {
            return Ok(Some(Read::TooLarge { bytes: said }));
        }
        let mut bytes = BytesMut::with_capacity(usize::try_from(said).unwrap_or_default());
        let mut chunks = found.into_stream();
        while let Some(chunk) = chunks.try_next().await? {
            // Whatever the store said before.
            let read = bytes.len() as u64 + chunk.len() as u64;
            if read > most {
                return Ok(Some(Read::TooLarge { bytes: read }));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(Read::Whole(bytes.freeze())))
    }

    pub(super) async fn size(&self, key: &Key) -> Result<Option<u64>> {
        Ok(present(self.store.head(&path(key)?).await)?.map(|found| found.size))
    }

    pub(super) async fn delete(&self, key: &Key) -> Result<()> {
        present(self.store.delete(&path(key)?).await)?;
        Ok(())
    }

    pub(super) async fn presigned_get(&self, key: &Key, lifetime: Duration) -> Result<Secret> {
        Ok(Secret::new(self.store.signed_url(Method::GET, &path(key)?, lifetime).await?.into()))
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

fn path(key: &Key) -> Result<Path> {
    Ok(Path::parse(key.as_str())?)
}

fn present<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
