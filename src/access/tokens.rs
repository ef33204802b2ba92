//! Tokens: what an admin carries after a login. Signed, not stored.

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::AccessError;
use crate::{clock::Clock, secrets::Secret};

/// How long a token lasts.
const LENGTH: Duration = Duration::hours(24);

#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    /// The admin's name.
    pub(super) sub: String,
    iat: i64,
    exp: i64,
    /// See [`admins::generation`](super::admins): a new password makes a new one.
    #[serde(rename = "gen")]
    pub(super) generation: i64,
}

pub(super) fn issue(
    key: &[u8],
    clock: &Clock,
    name: &str,
    generation: i64,
) -> Result<(Secret, DateTime<Utc>), AccessError> {
    let now = clock.now();
    let expires_at = DateTime::from_timestamp((now + LENGTH).timestamp(), 0).unwrap_or(now);
    let claims = Claims { sub: name.to_owned(), iat: now.timestamp(), exp: expires_at.timestamp(), generation };
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(key))
        .map_err(AccessError::Sign)?;
    Ok((Secret::new(token), expires_at))
}

/// What a token says, if we signed it and it has not expired.
pub(super) fn read(key: &[u8], clock: &Clock, token: &str) -> Option<Claims> {
    let mut rules = Validation::new(Algorithm::HS256);
    // By our own clock, below.
    rules.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_secret(key), &rules).ok()?.claims;
    (clock.now().timestamp() < claims.exp).then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_a_day_and_for_its_key() {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = Clock::fixed(start);
        let (token, expires_at) = issue(b"key", &clock, "anna", 7).unwrap();
        assert_eq!(expires_at, start + LENGTH);
        let claims = read(b"key", &clock, token.reveal()).unwrap();
        assert_eq!((claims.sub.as_str(), claims.generation), ("anna", 7));
        assert!(read(b"other", &clock, token.reveal()).is_none());
        clock.set(expires_at - Duration::seconds(1));
        assert!(read(b"key", &clock, token.reveal()).is_some());
        clock.set(expires_at);
        assert!(read(b"key", &clock, token.reveal()).is_none());
    }

    #[test]
    fn an_unsigned_token_is_none() {
        // {"alg":"none"} . {"sub":"anna","iat":0,"exp":9999999999,"gen":7}
        let forged = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIiwiaWF0IjowLCJleHAiOjk5OTk5OTk5OTksImdlbiI6N30.";
        assert!(read(b"key", &Clock::system(), forged).is_none());
    }
}
