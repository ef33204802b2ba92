//! Who is in which channel, and who is never removed.

use aggregates::member::{Command, parse_stream, stream};
use chrono::{DateTime, Utc};
use poem_openapi::{
    OpenApi,
    param::{Header, Query},
    payload::Json,
};
use projections::{
    members::{self, Filter, Row},
    page::{Cursor, Key},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, SubscriptionsRead, SubscriptionsWrite},
    body::Body,
    csv::{PIECE, Table, pieces},
    member_json::{Member, MemberChanged, MemberPage, MemberTable},
    mutation::once,
    params::{At, cursor, shows, usual_limit, usual_wait},
    problem::{Answer, Problem},
    subscription_json::HandReason,
    subscriptions::by_hand,
};
use crate::{app::App, executor::Wish};

pub(super) struct Members(pub(super) App);

#[OpenApi(tag = "Tags::Subscriptions")]
impl Members {
    /// List members of channels
    ///
    /// A page of the people who match all filters, in the order in which they were first heard of: who is in or was, who
    /// should be, who is never removed, and who is about to be. Holds personal data.
    #[oai(path = "/telegram/members", method = "get", operation_id = "listChannelMembers")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// Only of the channel with this id.
        channel: Query<Option<i64>>,
        /// Only this Telegram account.
        telegram_id: Query<Option<i64>>,
        /// Only who is in, or is not.
        is_in: Query<Option<bool>>,
        /// Only who is never removed, or is treated like others.
        whitelisted: Query<Option<bool>>,
        /// Only who is about to be removed, or is not.
        removal_due: Query<Option<bool>>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<MemberPage>> {
        let after = self::cursor(cursor.0.as_ref(), |cursor| matches!(cursor.key, Key::Number(_)))?;
        shows(&self.0, "members", min_position.0, wait_ms.0).await?;
        let filter = Filter {
            channel: channel.0,
            user: telegram_id.0,
            is_in: is_in.0,
            whitelisted: whitelisted.0,
            removal_due: removal_due.0,
        };
        let page = members::list(&self.0.pool, &filter, after.as_ref(), limit.0).await?;
        Ok(Json(MemberPage {
            items: named(&self.0, page.rows, self.0.clock.now()).await?,
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export members of channels
    ///
    /// All who match the filters of `listChannelMembers`, as CSV. Holds personal data.
    #[oai(path = "/telegram/members.csv", method = "get", operation_id = "exportChannelMembers")]
    async fn export(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// Only of the channel with this id.
        channel: Query<Option<i64>>,
        /// Only this Telegram account.
        telegram_id: Query<Option<i64>>,
        /// Only who is in, or is not.
        is_in: Query<Option<bool>>,
        /// Only who is never removed, or is treated like others.
        whitelisted: Query<Option<bool>>,
        /// Only who is about to be removed, or is not.
        removal_due: Query<Option<bool>>,
    ) -> Answer<Table<MemberTable>> {
        let filter = Filter {
            channel: channel.0,
            user: telegram_id.0,
            is_in: is_in.0,
            whitelisted: whitelisted.0,
            removal_due: removal_due.0,
        };
        let (app, now) = (self.0.clone(), self.0.clock.now());
        let lines = pieces(move |after: Option<Cursor>| {
            let (app, filter) = (app.clone(), filter.clone());
            async move {
                let page = members::list(&app.pool, &filter, after.as_ref(), PIECE).await?;
                let members = named(&app, page.rows, now).await?;
                Ok::<_, sqlx::Error>((members.iter().map(Member::line).collect(), page.next))
            }
        });
        Ok(Table::named("members", lines))
    }

    /// Put somebody on the list of those who are never removed
    ///
    /// Whatever becomes of their subscriptions. A removal that is about to happen is withdrawn. Who was never heard of can
    /// be put on it, too.
    #[oai(path = "/telegram/members/:id/whitelist", method = "post", operation_id = "whitelistChannelMember")]
    async fn whitelist(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// `<channel>:<telegram_id>`, such as `-1001234567890:123456789`.
        id: At<String>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<HandReason>,
    ) -> Answer<MemberChanged> {
        let by_hand = by_hand(&caller, &body.value.reason);
        let command = Command::Whitelist { by_hand, at: self.0.clock.now() };
        self.send(&caller, &id.0, ("whitelist", idempotency_key.0, &body.canonical), command).await
    }

    /// Take somebody off the list of those who are never removed
    ///
    /// From then on their subscriptions say whether they may stay.
    #[oai(path = "/telegram/members/:id/unlist", method = "post", operation_id = "unlistChannelMember")]
    async fn unlist(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// `<channel>:<telegram_id>`, such as `-1001234567890:123456789`.
        id: At<String>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<HandReason>,
    ) -> Answer<MemberChanged> {
        let by_hand = by_hand(&caller, &body.value.reason);
        let command = Command::Unlist { by_hand, at: self.0.clock.now() };
        self.send(&caller, &id.0, ("unlist", idempotency_key.0, &body.canonical), command).await
    }
}

impl Members {
    async fn send(
        &self,
        caller: &Allowed<SubscriptionsWrite>,
        id: &str,
        (step, key, body): (&str, Option<String>, &str),
        command: Command,
    ) -> Answer<MemberChanged> {
        let ids = parse_stream(id).filter(|(channel, user)| *channel != 0 && *user > 0);
        let (channel, user) = ids.ok_or_else(|| Problem::input("id", "must be <channel>:<telegram_id>"))?;
        // As it is called in the log, however it was written.
        let id = stream(channel, user);
        let once = once(caller, key, &[step, &id, body])?;
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        Ok(self.0.members.send(&id, wish).await?.into())
    }
}

/// Members with their pseudonyms, as they stand at a time.
pub(super) async fn named(app: &App, rows: Vec<Row>, now: DateTime<Utc>) -> Result<Vec<Member>, sqlx::Error> {
    let mut members = Vec::with_capacity(rows.len());
    for row in rows {
        let person: Uuid = app.person_of_telegram(row.user_id).await?.0;
        members.push(Member::at(row, person, now));
    }
    Ok(members)
}
