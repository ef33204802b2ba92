//! Secrets of the installation, and hashes made with them.

use std::fmt;

use aggregates::PersonId;
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

/// A secret text from the configuration. It never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Reads a secret of this installation, or makes it: 32 random bytes, the same
/// for every process from then on.
///
/// # Errors
/// What the database says.
pub async fn get_or_create(pool: &PgPool, name: &str) -> Result<Vec<u8>, sqlx::Error> {
    let mut fresh = [0; 32];
    rand::thread_rng().fill_bytes(&mut fresh);
    sqlx::query!("insert into secrets (name, value) values ($1, $2) on conflict do nothing", name, &fresh[..])
        .execute(pool)
        .await?;
    sqlx::query_scalar!("select value from secrets where name = $1", name).fetch_one(pool).await
}

/// HMAC-SHA256 (RFC 2104).
#[must_use]
pub fn keyed_hash(key: &[u8], message: &str) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The pseudonym of an identity such as `telegram:42`.
#[must_use]
pub fn pseudonym(key: &[u8], identity: &str) -> PersonId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&keyed_hash(key, identity)[..16]);
    PersonId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// What was asked under an idempotency key, as a hash.
#[must_use]
pub fn fingerprint(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of parts look alike.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A random text of 128 bits that is easy to copy, for generated passwords and keys.
#[must_use]
pub fn random_text() -> String {
    let mut bytes = [0; 16];
    rand::thread_rng().fill_bytes(&mut bytes);
    Uuid::from_bytes(bytes).simple().to_string()
}
