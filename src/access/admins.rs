//! Admins and their passwords.

use argon2::{
    Argon2, PasswordHash, PasswordHasher, PasswordVerifier,
    password_hash::{SaltString, rand_core::OsRng},
};
use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::{AccessError, database};
use crate::secrets::Secret;

/// The hash of a text nobody knows, with the usual cost: verified when a name
/// is unknown, so that a wrong name takes as long as a wrong password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$NDVxcDM0cGx3bjRwZ2Jobg$WwVWdlMz+FcFx8Hqk3SYkDsGWDfvtF6r0GHdZ7rX2yk";

const SHORTEST_PASSWORD: usize = 8;

/// An admin as shown to whoever manages them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The name to log in with.
    pub name: String,
    /// When the admin was made.
    pub created_at: DateTime<Utc>,
    /// The last login; none so far.
    pub last_login_at: Option<DateTime<Utc>>,
}

pub(super) fn check_name(name: &str) -> Result<(), AccessError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) { Ok(()) } else { Err(AccessError::Name) }
}

/// All admins.
///
/// # Errors
/// [`AccessError::Database`].
pub async fn list(pool: &PgPool) -> Result<Vec<Admin>, AccessError> {
    sqlx::query_as!(Admin, "select name, created_at, last_login_at from admins order by name")
        .fetch_all(pool)
        .await
        .map_err(database("list the admins"))
}

/// Sets a password, making the admin if need be. Tokens given out before die.
///
/// # Errors
/// [`AccessError`].
pub async fn set_password(pool: &PgPool, name: &str, password: &Secret) -> Result<(), AccessError> {
    let hash = checked_hash(name, password).await?;
    sqlx::query!(
        "insert into admins (name, password_hash) values ($1, $2) \
         on conflict (name) do update set password_hash = $2, \
            valid_from = greatest(now(), admins.valid_from + interval '1 microsecond')",
        name,
        hash,
    )
    .execute(pool)
    .await
    .map_err(database("set a password"))?;
    Ok(())
}

/// Makes an admin; answers whether there was none of this name.
///
/// # Errors
/// [`AccessError`].
pub async fn create(pool: &PgPool, name: &str, password: &Secret) -> Result<bool, AccessError> {
    if generation(pool, name).await?.is_some() {
        return Ok(false);
    }
    let hash = checked_hash(name, password).await?;
    let made =
        sqlx::query!("insert into admins (name, password_hash) values ($1, $2) on conflict do nothing", name, hash)
            .execute(pool)
            .await
            .map_err(database("make an admin"))?;
    Ok(made.rows_affected() == 1)
}

/// Removes an admin, whose tokens die; answers whether there was one.
///
/// # Errors
/// [`AccessError::Database`].
pub async fn remove(pool: &PgPool, name: &str) -> Result<bool, AccessError> {
    let removed =
        sqlx::query!("delete from admins where name = $1", name).execute(pool).await.map_err(database("remove"))?;
    Ok(removed.rows_affected() == 1)
}

/// Whether there is any admin.
///
/// # Errors
/// [`AccessError::Database`].
pub async fn any(pool: &PgPool) -> Result<bool, AccessError> {
    sqlx::query_scalar!(r#"select exists (select from admins) as "any!""#)
        .fetch_one(pool)
        .await
        .map_err(database("look for admins"))
}

/// Whether this is the admin's password. Takes as long for a name that does
/// not exist.
///
/// # Errors
/// [`AccessError`].
pub async fn verify(pool: &PgPool, name: &str, password: &Secret) -> Result<bool, AccessError> {
    let known = if check_name(name).is_ok() {
        sqlx::query_scalar!("select password_hash from admins where name = $1", name)
            .fetch_optional(pool)
            .await
            .map_err(database("read a password's hash"))?
    } else {
        None
    };
    let exists = known.is_some();
    let (hash, password) = (known.unwrap_or_else(|| NOBODY.to_owned()), password.clone());
    let fits = blocking(move || {
        let hash = PasswordHash::new(&hash)?;
        match Argon2::default().verify_password(password.reveal().as_bytes(), &hash) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::Password) => Ok(false),
            Err(error) => Err(error),
        }
    })
    .await?;
    Ok(exists && fits)
}

/// Notes a login and answers the generation its token is to carry; none when
/// the admin has just been removed.
pub(super) async fn logged_in(pool: &PgPool, name: &str) -> Result<Option<i64>, AccessError> {
    let valid_from =
        sqlx::query_scalar!("update admins set last_login_at = now() where name = $1 returning valid_from", name)
            .fetch_optional(pool)
            .await
            .map_err(database("note a login"))?;
    Ok(valid_from.map(|from| from.timestamp_micros()))
}

/// Which tokens of an admin are good: those that carry this number. It is the
/// time of the last change of password, compared for equality only, so that no
/// two clocks need to agree.
pub(super) async fn generation(pool: &PgPool, name: &str) -> Result<Option<i64>, AccessError> {
    let valid_from = sqlx::query_scalar!("select valid_from from admins where name = $1", name)
        .fetch_optional(pool)
        .await
        .map_err(database("read an admin"))?;
    Ok(valid_from.map(|from| from.timestamp_micros()))
}

async fn checked_hash(name: &str, password: &Secret) -> Result<String, AccessError> {
    check_name(name)?;
    if password.reveal().chars().count() < SHORTEST_PASSWORD {
        return Err(AccessError::Password);
    }
    let password = password.clone();
    blocking(move || {
        let salt = SaltString::generate(&mut OsRng);
        Argon2::default().hash_password(password.reveal().as_bytes(), &salt).map(|hash| hash.to_string())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, argon2::password_hash::Error> + Send + 'static,
) -> Result<T, AccessError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(AccessError::Hash),
        // It is only cancelled when the runtime goes down.
        Err(_) => Err(AccessError::Crowded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nobody_costs_as_much_as_a_real_one() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let salt = SaltString::generate(&mut OsRng);
        let real = Argon2::default().hash_password(b"hunter22", &salt).unwrap();
        assert_eq!((nobody.algorithm, nobody.version, &nobody.params), (real.algorithm, real.version, &real.params));
        assert!(Argon2::default().verify_password(b"hunter22", &nobody).is_err());
    }

    #[test]
    fn names_are_plain() {
        for name in ["admin", "a.b_c-9", &"a".repeat(64)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "Admin", "a b", "a\0", "é", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
