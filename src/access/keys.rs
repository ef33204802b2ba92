//! Keys: how programs call the API.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use super::{AccessError, Identity, Scope, database};
use crate::{
    clock::Clock,
    secrets::{self, Secret},
};

/// How long a process goes on accepting a key that another one revoked.
pub const REMEMBERED: Duration = Duration::from_secs(5);

/// A key as it is shown: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: Uuid,
    /// Its name, on every event it causes.
    pub name: String,
    /// Its first characters, to recognise it by.
    pub hint: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Its last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Since when it is good for nothing.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Makes a key. The key itself is answered now and never again.
///
/// # Errors
/// [`AccessError::NameTaken`] (a revoked key keeps its name, so that the log
/// tells them apart), [`AccessError::Name`] or [`AccessError::Database`].
pub async fn create(
    pool: &PgPool,
    clock: &Clock,
    name: &str,
    scopes: &[Scope],
    created_by: &str,
) -> Result<(Key, Secret), AccessError> {
    super::admins::check_name(name)?;
    let key = Secret::new(format!("ps_{}", secrets::random_text()));
    let words: Vec<String> = scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let made = sqlx::query_as!(
        Key,
        "insert into api_keys (id, name, key_hash, hint, scopes, created_by) values ($1, $2, $3, $4, $5, $6) \
         on conflict (name) do nothing \
         returning id, name, hint, scopes, created_by, created_at, last_used_at, revoked_at",
        clock.new_id(),
        name,
        &hash(key.reveal())[..],
        hint(key.reveal()),
        &words,
        created_by,
    )
    .fetch_optional(pool)
    .await
    .map_err(database("make a key"))?;
    made.map(|made| (made, key)).ok_or(AccessError::NameTaken)
}

/// Makes a key from the configuration valid. When it is another one than
/// before, the former is good for nothing from then on. The same one stays revoked
/// if it was, and allows from then on what is said here.
///
/// # Errors
/// [`AccessError::Database`].
pub async fn register(
    pool: &PgPool,
    clock: &Clock,
    name: &str,
    key: &Secret,
    scopes: &[Scope],
) -> Result<(), AccessError> {
    let words: Vec<String> = scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    sqlx::query!(
        "insert into api_keys (id, name, key_hash, hint, scopes, created_by) values ($1, $2, $3, $4, $5, 'config') \
         on conflict (name) do update set key_hash = $3, hint = $4, scopes = $5, \
                revoked_at = case when api_keys.key_hash = $3 then api_keys.revoked_at end, \
                last_used_at = case when api_keys.key_hash = $3 then api_keys.last_used_at end \
          where api_keys.key_hash <> $3 or api_keys.scopes <> $5",
        clock.new_id(),
        name,
        &hash(key.reveal())[..],
        hint(key.reveal()),
        &words,
    )
    .execute(pool)
    .await
    .map_err(database("register a key"))?;
    Ok(())
}

/// All keys, the revoked ones too.
///
/// # Errors
/// [`AccessError::Database`].
pub async fn list(pool: &PgPool) -> Result<Vec<Key>, AccessError> {
    sqlx::query_as!(
        Key,
        "select id, name, hint, scopes, created_by, created_at, last_used_at, revoked_at from api_keys \
         order by created_at, id"
    )
    .fetch_all(pool)
    .await
    .map_err(database("list the keys"))
}

/// Revokes a key; answers whether there is one. Revoking it again changes nothing.
///
/// # Errors
/// [`AccessError::Database`].
pub async fn revoke(pool: &PgPool, id: Uuid) -> Result<bool, AccessError> {
    let revoked = sqlx::query!("update api_keys set revoked_at = coalesce(revoked_at, now()) where id = $1", id)
        .execute(pool)
        .await
        .map_err(database("revoke a key"))?;
    Ok(revoked.rows_affected() == 1)
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn hint(key: &str) -> String {
    let shown = if key.starts_with("ps_") { 7 } else { 4 };
    key.chars().take(shown).chain(['…']).collect()
}

/// Keys seen in the last seconds, so that not every request asks the database.
pub(super) struct Remembered(Cache<[u8; 32], (Instant, Identity)>);

impl Default for Remembered {
    fn default() -> Self {
        Self(Cache::new(1_000))
    }
}

impl Remembered {
    pub(super) async fn identity(&self, pool: &PgPool, key: &str) -> Result<Option<Identity>, AccessError> {
        let hash = hash(key);
        if let Some((since, identity)) = self.0.get(&hash)
            && since.elapsed() < REMEMBERED
        {
            return Ok(Some(identity));
        }
        let now = Instant::now();
        let Some(identity) = look_up(pool, &hash).await? else {
            self.0.remove(&hash);
            return Ok(None);
        };
        self.0.insert(hash, (now, identity.clone()));
        Ok(Some(identity))
    }

    pub(super) fn forget(&self) {
        self.0.clear();
    }
}

async fn look_up(pool: &PgPool, hash: &[u8; 32]) -> Result<Option<Identity>, AccessError> {
    let found = sqlx::query!(
        r#"select id, name, scopes, coalesce(last_used_at < now() - interval '1 minute', true) as "rested!"
             from api_keys where key_hash = $1 and revoked_at is null"#,
        &hash[..],
    )
    .fetch_optional(pool)
    .await
    .map_err(database("look a key up"))?;
    let Some(found) = found else { return Ok(None) };
    if found.rested {
        sqlx::query!("update api_keys set last_used_at = now() where id = $1", found.id)
            .execute(pool)
            .await
            .map_err(database("note a key's use"))?;
    }
    // A scope this version does not know allows nothing here.
    let scopes: Arc<[Scope]> = found.scopes.iter().filter_map(|word| word.parse().ok()).collect();
    Ok(Some(Identity::Key { name: found.name.into(), scopes }))
}
