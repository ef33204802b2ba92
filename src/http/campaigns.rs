//! Campaigns: write, open, stop, change and see them.

use aggregates::campaign::{Command, Status};
use chrono::{DateTime, Utc};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Query},
    payload::Json,
};
use projections::{
    campaigns::{self, Filter},
    page::Cursor,
};
use tokio::time::Duration;
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, CampaignsRead, CampaignsWrite},
    body::Body,
    campaign_json::{Campaign, CampaignPage, CampaignSort, CampaignStatus, CampaignTable, row_line},
    campaign_terms::{NewTerms, TermsChange},
    csv::{PIECE, Table, pieces},
    mutation::{Changed, Created, IfMatch, changed, created, etag, once},
    params::{At, cursor, shows, usual_limit, usual_wait},
    problem::{Answer, Kind},
};
use crate::{
    activation::activate,
    app::App,
    executor::{SendError, Wish},
    retry::Backoff,
};

/// How often a change is made again when another one comes in between and has
/// not yet led to a version it may not be made on.
const ATTEMPTS: usize = 20;

pub(super) struct Campaigns(pub(super) App);

#[derive(ApiResponse)]
#[allow(clippy::large_enum_variant, reason = "made to be sent at once")]
enum Found {
    /// The campaign.
    #[oai(status = 200)]
    Found(
        Json<Campaign>,
        /// Its version, for If-Match and If-None-Match.
        #[oai(header = "ETag")]
        String,
        /// To be asked again each time.
        #[oai(header = "Cache-Control")]
        String,
    ),
    /// It is still as in If-None-Match.
    #[oai(status = 304)]
    Unchanged(
        /// Its version.
        #[oai(header = "ETag")]
        String,
    ),
}

#[OpenApi(tag = "Tags::Campaigns")]
impl Campaigns {
    /// List campaigns
    ///
    /// A page of the campaigns that match all filters. The next page begins after the last item of this one, whatever
    /// was inserted meanwhile: ask for it with the same filters and `cursor=next_cursor`.
    #[oai(path = "/campaigns", method = "get", operation_id = "listCampaigns")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// Only campaigns in this status.
        status: Query<Option<CampaignStatus>>,
        /// Only campaigns with this code; letter case does not matter.
        code: Query<Option<String>>,
        /// Only campaigns with this text in their name; letter case does not matter.
        #[oai(validator(max_length = 120))]
        q: Query<Option<String>>,
        /// What to sort by; `-` for descending.
        #[oai(default)]
        sort: Query<CampaignSort>,
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
    ) -> Answer<Json<CampaignPage>> {
        let (sort, descending) = sort.0.column();
        let after = self::cursor(cursor.0.as_ref(), |cursor| sort.fits(cursor))?;
        let filter = filter(status.0, code.0, q.0)?;
        shows(&self.0, "campaigns", min_position.0, wait_ms.0).await?;
        let page = campaigns::list(&self.0.pool, &filter, sort, descending, after.as_ref(), limit.0).await?;
        Ok(Json(CampaignPage {
            items: page.rows.into_iter().map(Campaign::try_from).collect::<Answer<_>>()?,
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export campaigns
    ///
    /// All that match the filters of `listCampaigns`, in the same order, as CSV.
    #[oai(path = "/campaigns.csv", method = "get", operation_id = "exportCampaigns")]
    async fn export(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// Only campaigns in this status.
        status: Query<Option<CampaignStatus>>,
        /// Only campaigns with this code; letter case does not matter.
        code: Query<Option<String>>,
        /// Only campaigns with this text in their name; letter case does not matter.
        #[oai(validator(max_length = 120))]
        q: Query<Option<String>>,
        /// What to sort by; `-` for descending.
        #[oai(default)]
        sort: Query<CampaignSort>,
    ) -> Answer<Table<CampaignTable>> {
        let (sort, descending) = sort.0.column();
        let filter = filter(status.0, code.0, q.0)?;
        let pool = self.0.pool.clone();
        let lines = pieces(move |after: Option<Cursor>| {
            let (pool, filter) = (pool.clone(), filter.clone());
            async move {
                let page = campaigns::list(&pool, &filter, sort, descending, after.as_ref(), PIECE).await?;
                Ok::<_, sqlx::Error>((page.rows.iter().map(row_line).collect(), page.next))
            }
        });
        Ok(Table::named("campaigns", lines))
    }

    /// Draft a campaign
    ///
    /// Nobody can redeem it before it is activated.
    ///
    /// Problems: invalid-terms
    #[oai(path = "/campaigns", method = "post", operation_id = "draftCampaign")]
    async fn draft(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// Of your choice, one for each request: the same request sent again under the same key takes effect once and
        /// has the same answer. 1 to 255 visible ASCII characters, kept for 30 days.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        /// The terms.
        body: Body<NewTerms>,
    ) -> Answer<Created> {
        let once = once(&caller, idempotency_key.0, &["POST", "/api/campaigns", &body.canonical])?;
        let command = Command::Draft { terms: body.value.0, at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: Some(0) };
        created(&self.0.campaigns.send(&self.0.clock.new_id().to_string(), wish).await?)
    }

    /// Show a campaign
    ///
    /// With its ETag, which changes with every change and every redemption.
    #[oai(path = "/campaigns/:id", method = "get", operation_id = "getCampaign")]
    async fn show(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// An ETag of the campaign; if it still has it, the answer is 304 without a body.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Found> {
        let known = if_none_match.0.map(|text| IfMatch::read("If-None-Match", &text)).transpose()?;
        shows(&self.0, "campaigns", min_position.0, wait_ms.0).await?;
        let row = campaigns::find(&self.0.pool, id.0).await?.ok_or(Kind::CampaignMissing)?;
        let etag = etag(row.version);
        if known.is_some_and(|known| known.contains(row.version)) {
            return Ok(Found::Unchanged(etag));
        }
        Ok(Found::Found(Json(row.try_into()?), etag, "private, no-cache".to_owned()))
    }

    /// Change a campaign's terms
    ///
    /// What is not given stays as it is; null takes an optional term away (JSON Merge Patch). The change is made on the
    /// version in If-Match and refused when the campaign has changed since, so that nobody's change is lost. A campaign
    /// that is being redeemed changes all the time: send `If-Match: *` to change its terms whatever they are, or pause it
    /// first.
    ///
    /// Problems: campaign-status, code-fixed, invalid-terms, limit-below-redeemed, promise-broken
    #[oai(path = "/campaigns/:id", method = "patch", operation_id = "changeCampaign")]
    async fn change(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The campaign's id.
        id: At<Uuid>,
        /// The ETag of the campaign as you have seen it, or `*`. Required.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        /// The terms to change.
        body: Body<TermsChange>,
    ) -> Answer<Changed> {
        let if_match = if_match.0.ok_or(Kind::PreconditionRequired)?;
        let id = id.0.to_string();
        let once = once(&caller, idempotency_key.0, &["PATCH", &id, &if_match, &body.canonical])?;
        let wanted = IfMatch::read("If-Match", &if_match)?;
        if let Some(once) = &once
            && let Some(done) = self.0.campaigns.answered(once).await?
        {
            return changed(&done);
        }
        let mut attempts = 0;
        let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(50));
        loop {
            let (terms, version) =
                self.0.campaigns.look(&id, |campaign, version, _| (campaign.terms().cloned(), version)).await?;
            let terms = terms.ok_or(Kind::CampaignMissing)?;
            if !wanted.contains(version) {
                // The same request, sent at the same time, may be what changed the version.
                return match &once {
                    Some(once) => changed(&self.0.campaigns.answered(once).await?.ok_or(Kind::PreconditionFailed)?),
                    None => Err(Kind::PreconditionFailed.into()),
                };
            }
            let command = Command::ChangeTerms { terms: body.value.applied(terms), at: self.0.clock.now() };
            let wish = Wish { command, cause: caller.cause(), once: once.clone(), expected: Some(version) };
            match self.0.campaigns.send(&id, wish).await {
                // Another change is on its way; the next look tells what became of it.
                Err(SendError::Precondition { .. }) if attempts < ATTEMPTS => attempts += 1,
                Err(SendError::Precondition { .. }) => return Err(Kind::Busy.into()),
                answer => return changed(&answer?),
            }
            if attempts > 1 {
                tokio::time::sleep(backoff.wait()).await;
            }
        }
    }

    /// Open a campaign
    ///
    /// Claims its shared code, so that no two campaigns ever run under the same one, and lets people redeem it inside its
    /// dates and limits. Before `starts_at` it is scheduled, and opens by itself. A refusal because the code is in use is not kept under the Idempotency-Key: the same request may
    /// succeed once the code is free.
    ///
    /// Problems: campaign-status, code-in-use
    #[oai(path = "/campaigns/:id/activate", method = "post", operation_id = "activateCampaign")]
    async fn activate(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The campaign's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        let once = once(&caller, idempotency_key.0, &["activate", &id.0.to_string()])?;
        changed(&activate(&self.0, id.0, &caller.cause(), once).await?)
    }

    /// Stop a campaign for now
    ///
    /// Nobody can redeem it until it is resumed. It keeps its code.
    ///
    /// Problems: campaign-status
    #[oai(path = "/campaigns/:id/pause", method = "post", operation_id = "pauseCampaign")]
    async fn pause(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The campaign's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        self.step(&caller, id.0, idempotency_key.0, "pause", |at| Command::Pause { at }).await
    }

    /// Open a paused campaign again
    ///
    /// With all the redemptions it had.
    ///
    /// Problems: campaign-status
    #[oai(path = "/campaigns/:id/resume", method = "post", operation_id = "resumeCampaign")]
    async fn resume(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The campaign's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        self.step(&caller, id.0, idempotency_key.0, "resume", |at| Command::Resume { at }).await
    }

    /// End a campaign
    ///
    /// For good: it cannot be opened again, and its code becomes free for another one. A draft is discarded so.
    ///
    /// Problems: campaign-status
    #[oai(path = "/campaigns/:id/end", method = "post", operation_id = "endCampaign")]
    async fn end(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The campaign's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        self.step(&caller, id.0, idempotency_key.0, "end", |at| Command::End { at }).await
    }

    /// Put away a campaign
    ///
    /// One that has ended. Nothing of it is lost; it is only out of the way.
    ///
    /// Problems: campaign-status
    #[oai(path = "/campaigns/:id/archive", method = "post", operation_id = "archiveCampaign")]
    async fn archive(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The campaign's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        self.step(&caller, id.0, idempotency_key.0, "archive", |at| Command::Archive { at }).await
    }
}

fn filter(status: Option<CampaignStatus>, code: Option<String>, name: Option<String>) -> Answer<Filter> {
    let code = code.map(super::campaign_terms::code).transpose()?;
    Ok(Filter { status: status.map(Status::from), code: code.map(String::from), name })
}

impl Campaigns {
    async fn step(
        &self,
        caller: &Allowed<CampaignsWrite>,
        id: Uuid,
        key: Option<String>,
        name: &str,
        command: impl FnOnce(DateTime<Utc>) -> Command,
    ) -> Answer<Changed> {
        let id = id.to_string();
        let once = once(caller, key, &[name, &id])?;
        let wish = Wish { command: command(self.0.clock.now()), cause: caller.cause(), once, expected: None };
        changed(&self.0.campaigns.send(&id, wish).await?)
    }
}
