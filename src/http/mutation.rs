//! What all changes by command have in common: taking effect once under an
//! Idempotency-Key, and an answer made from nothing but what happened, so that
//! it can be given again for ever.

use aggregates::{Campaign, Decide};
use cqrs_es::DomainEvent;
use poem_openapi::{ApiResponse, Object, payload::Json, types::Example};
use uuid::Uuid;

use super::{
    auth::Caller,
    problem::{Answer, Kind, Problem},
};
use crate::{
    executor::{Done, Executor, Wish},
    log::Once,
    secrets::fingerprint,
};

/// What a change led to.
#[derive(Object)]
#[oai(example)]
pub(super) struct Change {
    /// The id of what was changed.
    pub(super) id: Uuid,
    /// Its version after the change, which is also its ETag.
    pub(super) version: i64,
    /// A read model that has come this far in the log shows the change: see `min_position`.
    pub(super) position: i64,
    /// What happened, in order. Nothing, when it was so already.
    pub(super) events: Vec<String>,
}

impl Example for Change {
    fn example() -> Self {
        Self { id: Uuid::from_u128(EXAMPLE_ID), version: 2, position: 1042, events: vec!["Activated".to_owned()] }
    }
}

/// An id for examples.
pub(super) const EXAMPLE_ID: u128 = 0x0193_5c2e_7b4a_7c31_9f05_5d1a_8e62_04b7;

/// Something was changed.
#[derive(ApiResponse)]
pub(super) enum Changed {
    /// It is as wished. The answer to a repeated request is the first one's.
    #[oai(status = 200)]
    Changed(
        Json<Change>,
        /// The version after it.
        #[oai(header = "ETag")]
        String,
        /// As `position` in the body.
        #[oai(header = "Promostack-Position")]
        i64,
        /// `true` when the request had taken effect before, under the same Idempotency-Key.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

/// Something was made.
#[derive(ApiResponse)]
pub(super) enum Created {
    /// It is there. The answer to a repeated request is the first one's.
    #[oai(status = 201)]
    Created(
        Json<Change>,
        /// Where it is.
        #[oai(header = "Location")]
        String,
        /// The version after it.
        #[oai(header = "ETag")]
        String,
        /// As `position` in the body.
        #[oai(header = "Promostack-Position")]
        i64,
        /// `true` when the request had taken effect before, under the same Idempotency-Key.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

/// A version as an entity tag.
pub(super) fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

fn change<A: Decide>(done: &Done<A>) -> Answer<Change> {
    Ok(Change {
        // Ids of all that is changed so are UUIDs since the first one.
        id: done.id.parse().map_err(|error: uuid::Error| Problem::from(Kind::Internal).because(error))?,
        version: done.version,
        position: done.position,
        events: done.events.iter().map(DomainEvent::event_type).collect(),
    })
}

fn replayed<A: Decide>(done: &Done<A>) -> Option<String> {
    done.repeated.then(|| "true".to_owned())
}

pub(super) fn changed<A: Decide>(done: &Done<A>) -> Answer<Changed> {
    Ok(Changed::Changed(Json(change(done)?), etag(done.version), done.position, replayed(done)))
}

pub(super) fn created(done: &Done<Campaign>) -> Answer<Created> {
    created_at("/api/campaigns", done)
}

/// The answer to what was made in this collection.
pub(super) fn created_at<A: Decide>(collection: &str, done: &Done<A>) -> Answer<Created> {
    let location = format!("{collection}/{}", done.id);
    Ok(Created::Created(Json(change(done)?), location, etag(done.version), done.position, replayed(done)))
}

/// Sends a command to what has one of the versions in If-Match.
pub(super) async fn send_on<A: Decide<Error: Into<Problem>>>(
    executor: &Executor<A>,
    id: &str,
    if_match: &str,
    wish: Wish<A::Command>,
) -> Answer<Done<A>> {
    let wanted = IfMatch::read("If-Match", if_match)?;
    if let Some(once) = &wish.once
        && let Some(done) = executor.answered(once).await?
    {
        return Ok(done);
    }
    let expected = match wanted {
        IfMatch::Any => None,
        IfMatch::Tags(_) => {
            let version = executor.look(id, |_, version, _| version).await?;
            if version > 0 && !wanted.contains(version) {
                // The same request, sent at the same time, may be what changed the version.
                return match &wish.once {
                    Some(once) => Ok(executor.answered(once).await?.ok_or(Kind::PreconditionFailed)?),
                    None => Err(Kind::PreconditionFailed.into()),
                };
            }
            // What is not there is missing, whatever version of it was seen.
            (version > 0).then_some(version)
        }
    };
    Ok(executor.send(id, Wish { expected, ..wish }).await?)
}

/// The key under which a request takes effect once. Keys of two callers never
/// meet; `parts` are all that makes the request what it is.
pub(super) fn once(caller: &Caller, key: Option<String>, parts: &[&str]) -> Answer<Option<Once>> {
    let Some(key) = key else { return Ok(None) };
    if !(1..=255).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::input("Idempotency-Key", "must be 1 to 255 visible ASCII characters"));
    }
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    Ok(Some(Once {
        source: format!("http:{}", caller.actor()).into(),
        key: key.into(),
        fingerprint: fingerprint(&parts),
        keeps_refusals: true,
    }))
}

/// The versions a change may be made on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// `*`: whatever it is.
    Any,
    /// One of these entity tags.
    Tags(Vec<String>),
}

impl IfMatch {
    /// Reads `*` or a list of entity tags (RFC 9110, section 8.8.3).
    pub(super) fn read(field: &str, text: &str) -> Answer<Self> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let tags = entity_tags(text);
        tags.map(Self::Tags)
            .ok_or_else(|| Problem::input(field, "must be an ETag as it was answered, such as \"3\", or *"))
    }

    /// Whether a version is among them. A weak tag stands for the same bytes
    /// here: a proxy that compresses an answer weakens its tag.
    pub(super) fn contains(&self, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.contains(&version.to_string()),
        }
    }
}

/// What stands inside the quotes of each tag of a list.
fn entity_tags(text: &str) -> Option<Vec<String>> {
    let (mut tags, mut rest) = (vec![], text.trim());
    loop {
        let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (tag, after) = quoted.split_once('"')?;
        if !tag.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        tags.push(tag.to_owned());
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(tags);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_read_strictly_and_compared_leniently() {
        for text in ["*", "\"3\"", "W/\"3\"", "\"1\", \"3\"", "\"a,b\",W/\"3\" "] {
            assert!(IfMatch::read("If-Match", text).unwrap().contains(3), "{text}");
        }
        for text in ["\"4\"", "\"\"", "\"03\""] {
            assert!(!IfMatch::read("If-Match", text).unwrap().contains(3), "{text}");
        }
        for text in ["", "3", "\"3", "\"3\",", "\"", "\"3\"4\"", "w/\"3\"", "*, \"3\"", "\"é\""] {
            assert!(IfMatch::read("If-Match", text).is_err(), "{text}");
        }
    }
}
