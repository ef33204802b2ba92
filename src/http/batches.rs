//! Batches of unique codes: make, see, export, take back.

use aggregates::{
    Campaign, CodeKey, UniqueCode,
    campaign::{Command, Event},
};
use futures_util::{StreamExt, stream::BoxStream};
use poem_openapi::{
    OpenApi,
    param::{Header, Query},
    payload::Json,
};
use projections::{campaigns, coupons as read_model};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, Caller, CampaignsRead, CampaignsWrite},
    batch_json::{
        Batch, BatchChange, BatchDraft, BatchList, BatchMade, BatchTable, CodeTable, Import, Imported, Skipped,
        TableBody, batch_line,
    },
    body::Body,
    csv::Table,
    mutation::{Changed, changed, once},
    params::{At, caught_up, shows, usual_wait},
    problem::{Answer, Kind},
};
use crate::{
    app::App,
    executor::{Done, Wish},
    imports,
    log::Once,
};

pub(super) struct Batches(pub(super) App);

#[OpenApi(tag = "Tags::Coupons")]
impl Batches {
    /// Make unique codes
    ///
    /// Each is good for one redemption. However many they are, they are made at once: what is kept is their number. The
    /// codes have 13 letters and digits that are not mistaken for each other, and a typing error is told from a code that
    /// does not exist.
    ///
    /// Problems: campaign-missing, campaign-status, other-kind-of-code
    #[oai(path = "/campaigns/:id/batches", method = "post", operation_id = "mintBatch")]
    async fn mint(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The campaign's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<BatchDraft>,
    ) -> Answer<BatchMade> {
        let once = once(&caller, idempotency_key.0, &["mint", &id.0.to_string(), &body.canonical])?;
        let done = self.minted(&caller, id.0, body.value.count, once).await?;
        let Some(Event::BatchMinted { batch, count, .. }) = done.events.first() else {
            return Err(Kind::Internal.into());
        };
        let change = BatchChange {
            number: *batch,
            campaign_id: id.0,
            count: *count,
            version: done.version,
            position: done.position,
        };
        let location = format!("/api/batches/{batch}/codes");
        Ok(BatchMade::Made(Json(change), location, done.position, done.repeated.then(|| "true".to_owned())))
    }

    /// Import unique codes
    ///
    /// A table whose first column has a code in each line; a first line `code` is its header. Each code becomes good for
    /// one redemption. Lines whose code cannot be one, or is known already, are left out and reported; the others are
    /// taken all the same. At most 1 MiB and 100,000 codes at a time, and one table at a time.
    ///
    /// The same table under the same Idempotency-Key makes one batch and gets the same report. A table without a new code
    /// changes nothing, and is looked at anew.
    ///
    /// Problems: campaign-missing, campaign-status, other-kind-of-code
    #[oai(path = "/campaigns/:id/imports", method = "post", operation_id = "importCodes")]
    async fn import(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The campaign's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: TableBody,
    ) -> Answer<Imported> {
        let once = once(&caller, idempotency_key.0, &["import", &id.0.to_string(), &body.0])?;
        let imports::Import { done, skipped } = imports::import(&self.0, id.0, &body.0, caller.cause(), once).await?;
        let batch = done.as_ref().and_then(|done| done.events.first());
        let (number, imported) = match batch {
            Some(Event::BatchImported { batch, codes, .. }) => (Some(*batch), codes.len() as u32),
            _ => (None, 0),
        };
        let import = Import {
            number,
            imported,
            skipped_in_all: skipped.len() as u32,
            skipped: skipped.into_iter().take(1_000).map(|(line, reason)| Skipped { line, reason }).collect(),
            position: done.as_ref().map(|done| done.position),
        };
        let replayed = done.is_some_and(|done| done.repeated).then(|| "true".to_owned());
        Ok(Imported::Imported(Json(import), replayed))
    }

    /// List a campaign's batches
    ///
    /// All of them, in the order of their numbers.
    #[oai(path = "/campaigns/:id/batches", method = "get", operation_id = "listBatches")]
    async fn list(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<BatchList>> {
        for name in ["campaigns", "coupons"] {
            shows(&self.0, name, min_position.0, wait_ms.0).await?;
        }
        if !campaigns::exists(&self.0.pool, id.0).await? {
            return Err(Kind::CampaignMissing.into());
        }
        let batches = read_model::batches(&self.0.pool, id.0).await?;
        Ok(Json(BatchList { items: batches.into_iter().map(Batch::from).collect() }))
    }

    /// Export a campaign's batches
    ///
    /// All of them, as CSV. (Their codes: `exportBatch`.)
    #[oai(path = "/campaigns/:id/batches.csv", method = "get", operation_id = "exportBatches")]
    async fn export_list(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
    ) -> Answer<Table<BatchTable>> {
        if !campaigns::exists(&self.0.pool, id.0).await? {
            return Err(Kind::CampaignMissing.into());
        }
        let batches = read_model::batches(&self.0.pool, id.0).await?;
        let lines: String = batches.iter().map(batch_line).collect();
        Ok(Table::named("batches", futures_util::stream::iter([Ok::<_, sqlx::Error>(lines)])))
    }

    /// Export a batch's codes
    ///
    /// As a table with one column, `code`, a line each, in the order of their places; it is streamed, however long it is.
    /// Whoever has it can redeem them all.
    ///
    /// Problems: batch-missing
    #[oai(path = "/batches/:number/codes", method = "get", operation_id = "exportBatch")]
    async fn export(
        &self,
        _caller: Allowed<CampaignsWrite>,
        /// The batch's number.
        number: At<i32>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Table<CodeTable>> {
        shows(&self.0, "coupons", min_position.0, wait_ms.0).await?;
        let batch = read_model::batch(&self.0.pool, number.0).await?.ok_or(Kind::BatchMissing)?;
        let lines = match batch.minted {
            true => minted(self.0.code_key().await?.clone(), &batch),
            false => imported(self.0.clone(), &batch),
        };
        Ok(Table::named(&format!("batch-{}", batch.number), lines))
    }

    /// Take back a batch
    ///
    /// Codes that are redeemed stay so; those that are left are good for nothing any more.
    ///
    /// Problems: batch-missing
    #[oai(path = "/batches/:number/revoke", method = "post", operation_id = "revokeBatch")]
    async fn revoke(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The batch's number.
        number: At<i32>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        let once = once(&caller, idempotency_key.0, &["revoke", &number.0.to_string()])?;
        let batch = self.batch(number.0).await?;
        let command = Command::RevokeBatch { batch: batch.number as u32, at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        changed(&self.0.campaigns.send(&batch.campaign_id.to_string(), wish).await?)
    }
}

impl Batches {
    /// A batch, even one that was acknowledged a moment ago.
    async fn batch(&self, number: i32) -> Answer<read_model::Batch> {
        if let Some(batch) = read_model::batch(&self.0.pool, number).await? {
            return Ok(batch);
        }
        caught_up(&self.0, "coupons").await?;
        Ok(read_model::batch(&self.0.pool, number).await?.ok_or(Kind::BatchMissing)?)
    }

    /// Makes a batch, under a number of its own. Numbers are few, so none is spent
    /// on what was made before or cannot be made.
    async fn minted(&self, caller: &Caller, campaign: Uuid, count: u32, once: Option<Once>) -> Answer<Done<Campaign>> {
        let stream = campaign.to_string();
        if let Some(once) = &once
            && let Some(done) = self.0.campaigns.answered(once).await?
        {
            return Ok(done);
        }
        let may = |campaign: &Campaign| campaign.may_be_given(count as usize, UniqueCode::IN_BATCH);
        self.0.campaigns.look(&stream, |campaign, _, _| may(campaign)).await??;
        let number: i32 =
            sqlx::query_scalar!(r#"select nextval('code_batches')::int as "number!""#).fetch_one(&self.0.pool).await?;
        let command = Command::Mint { batch: number as u32, count, at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        Ok(self.0.campaigns.send(&stream, wish).await?)
    }
}

/// Codes in one part of an export.
const PART: usize = 8_192;

/// Codes, many in a piece.
type Lines = BoxStream<'static, Result<String, sqlx::Error>>;

/// The codes of a batch, made part by part as they are sent.
fn minted(key: CodeKey, batch: &read_model::Batch) -> Lines {
    let (number, count) = (batch.number as u32, batch.count as u32);
    let part = move |from: u32| {
        let to = count.min(from.saturating_add(PART as u32));
        let mut lines = String::with_capacity((to - from) as usize * (UniqueCode::LENGTH + 2));
        for index in from..to {
            lines.extend(UniqueCode { batch: number, index }.text(&key).map(char::from));
            lines.push_str("\r\n");
        }
        Ok(lines)
    };
    futures_util::stream::iter((0..count).step_by(PART).map(part)).boxed()
}

/// The codes of a batch, read part by part as they are sent.
fn imported(app: App, batch: &read_model::Batch) -> Lines {
    let number = batch.number;
    let read = move |from: Option<i32>| {
        let app = app.clone();
        async move {
            let codes = match read_model::imported_codes(&app.pool, number, from?, PART as i64).await {
                Ok(codes) => codes,
                Err(error) => return Some((Err(error), None)),
            };
            let next = codes.last().map(|(index, _)| index + 1)?;
            Some((Ok(codes.into_iter().map(|(_, code)| code + "\r\n").collect()), Some(next)))
        }
    };
    futures_util::stream::unfold(Some(0), read).boxed()
}
