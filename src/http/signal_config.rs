//! How signals are made: seen and changed.

use std::sync::Arc;

use aggregates::signal::{Command, Event, XAUUSD};
use poem_openapi::{ApiResponse, OpenApi, param::Header, payload::Json};

use super::{
    Tags,
    auth::{Allowed, SignalsRead, SignalsWrite},
    body::Body,
    mutation::{IfMatch, etag, once},
    problem::{Answer, Kind},
    signal_changes::{SignalChange, change, replayed},
    signal_config_json::ForexConfig,
    signal_settings::NewSettings,
};
use crate::{app::App, executor::Wish, signals::now};

pub(super) struct SignalConfig(pub(super) App);

#[derive(ApiResponse)]
#[allow(clippy::large_enum_variant, reason = "made to be sent at once")]
enum FoundConfig {
    /// How signals are made now.
    #[oai(status = 200)]
    Found(
        Json<ForexConfig>,
        /// Its revision, for If-Match: how often it was changed.
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum ConfigChanged {
    /// It is as wished. The answer to a repeated request is the first one's.
    #[oai(status = 200)]
    Changed(
        Json<SignalChange>,
        /// The revision after it; missing when If-Match was `*` or named several.
        #[oai(header = "ETag")]
        Option<String>,
        /// As `position` in the body.
        #[oai(header = "Promostack-Position")]
        i64,
        /// `true` when the request had taken effect before, under the same Idempotency-Key.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

#[OpenApi(tag = "Tags::Signals")]
impl SignalConfig {
    /// Show how signals are made
    ///
    /// Always the newest: nothing has to be waited for. With its ETag, which changes with every change.
    #[oai(path = "/forex-config", method = "get", operation_id = "getForexConfig")]
    async fn show(&self, _caller: Allowed<SignalsRead>) -> Answer<FoundConfig> {
        let show = |signal: &aggregates::Signal, _, _| (signal.settings().clone(), signal.revision());
        let (settings, revision) = self.0.signals.look(XAUUSD, show).await?;
        Ok(FoundConfig::Found(Json((&*settings).into()), etag(revision.into())))
    }

    /// Change how signals are made
    ///
    /// All of it is replaced. It counts from the next check on, in all processes, without a restart; an open signal stays
    /// with what it was made by.
    ///
    /// Problems: invalid-settings
    #[oai(path = "/forex-config", method = "put", operation_id = "changeForexConfig")]
    async fn change(
        &self,
        caller: Allowed<SignalsWrite>,
        /// The ETag of the configuration as you have seen it, or `*`. Required.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<NewSettings>,
    ) -> Answer<ConfigChanged> {
        let if_match = if_match.0.ok_or(Kind::PreconditionRequired)?;
        let wanted = IfMatch::read("If-Match", &if_match)?;
        let once = once(&caller, idempotency_key.0, &["PUT forex-config", &if_match, &body.canonical])?;
        let done = match &once {
            Some(once) => self.0.signals.answered(once).await?,
            None => None,
        };
        let done = match done {
            Some(done) => done,
            None => {
                let revision = self.0.signals.look(XAUUSD, |signal, _, _| signal.revision()).await?;
                if !wanted.contains(revision.into()) {
                    // The same request, sent at the same time, may be what changed it.
                    let done = match &once {
                        Some(once) => self.0.signals.answered(once).await?,
                        None => None,
                    };
                    return answer(&wanted, &done.ok_or(Kind::PreconditionFailed)?);
                }
                let revision = (wanted != IfMatch::Any).then_some(revision);
                let (settings, at) = (Arc::new(body.value.0), now(&self.0).await?);
                let command = Command::Configure { settings, revision, at };
                let wish = Wish { command, cause: caller.cause(), once, expected: None };
                self.0.signals.send(XAUUSD, wish).await?
            }
        };
        answer(&wanted, &done)
    }
}

/// What is answered to a change, the first time and whenever it is sent again: the revision
/// after it follows from the one it was made on.
fn answer(wanted: &IfMatch, done: &crate::executor::Done<aggregates::Signal>) -> Answer<ConfigChanged> {
    let changes = done.events.iter().filter(|event| matches!(event, Event::Configured { .. })).count() as i64;
    let seen = match wanted {
        IfMatch::Tags(tags) => tags.first().filter(|_| tags.len() == 1).and_then(|tag| tag.parse::<i64>().ok()),
        IfMatch::Any => None,
    };
    let etag = seen.map(|revision| etag(revision + changes));
    Ok(ConfigChanged::Changed(Json(change(done)), etag, done.position, replayed(done)))
}
