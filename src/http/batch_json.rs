//! Batches of unique codes and tables of codes, as they come in and go out.

use chrono::{DateTime, Utc};
use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, Object,
    payload::Json,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry},
    types::Example,
};
use projections::coupons as read_model;
use uuid::Uuid;

use super::{
    body::{Fields, Input, bytes, count},
    csv::{Columns, line, time},
    mutation::EXAMPLE_ID,
    problem::{Kind, Problem},
};

/// How many unique codes to make.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
pub(super) struct BatchDraft {
    /// At most 16,777,216.
    #[oai(validator(minimum(value = "1"), maximum(value = "16777216")))]
    pub(super) count: u32,
}

impl Example for BatchDraft {
    fn example() -> Self {
        Self { count: 10_000 }
    }
}

impl Input for BatchDraft {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { count: fields.required("count", count)? })
    }
}

/// A batch of unique codes.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Batch {
    /// Its number in this installation.
    number: i32,
    /// Of which campaign.
    campaign_id: Uuid,
    /// How many codes it has.
    count: i32,
    /// Whether its codes were made here; otherwise they were imported.
    minted: bool,
    /// Since when what is left of it is taken back.
    revoked_at: Option<DateTime<Utc>>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl Example for Batch {
    fn example() -> Self {
        Self {
            number: 7,
            campaign_id: Uuid::from_u128(EXAMPLE_ID),
            count: 10_000,
            minted: true,
            revoked_at: None,
            created_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default(),
        }
    }
}

impl From<read_model::Batch> for Batch {
    fn from(row: read_model::Batch) -> Self {
        Self {
            number: row.number,
            campaign_id: row.campaign_id,
            count: row.count,
            minted: row.minted,
            revoked_at: row.revoked_at,
            created_at: row.created_at,
        }
    }
}

/// The batches of a campaign.
#[derive(Object)]
#[oai(example)]
pub(super) struct BatchList {
    /// In the order of their numbers.
    pub(super) items: Vec<Batch>,
}

impl Example for BatchList {
    fn example() -> Self {
        Self { items: vec![Batch::example()] }
    }
}

/// A new batch.
#[derive(Object)]
#[oai(example)]
pub(super) struct BatchChange {
    /// Its number in this installation.
    pub(super) number: u32,
    /// Of which campaign.
    pub(super) campaign_id: Uuid,
    /// How many codes it has.
    pub(super) count: u32,
    /// The campaign's version after it.
    pub(super) version: i64,
    /// A read model that has come this far in the log shows it: see `min_position`.
    pub(super) position: i64,
}

impl Example for BatchChange {
    fn example() -> Self {
        Self { number: 7, campaign_id: Uuid::from_u128(EXAMPLE_ID), count: 10_000, version: 2, position: 1042 }
    }
}

/// A batch was made.
#[derive(ApiResponse)]
pub(super) enum BatchMade {
    /// There is a new batch. The answer to a repeated request is the first one's.
    #[oai(status = 201)]
    Made(
        Json<BatchChange>,
        /// Where its codes are.
        #[oai(header = "Location")]
        String,
        /// As `position` in the body.
        #[oai(header = "Promostack-Position")]
        i64,
        /// `true` when the request had taken effect before, under the same Idempotency-Key.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

/// A code that was not imported.
#[derive(Object)]
#[oai(example)]
pub(super) struct Skipped {
    /// In which line of the table, from 1.
    pub(super) line: u32,
    /// Why.
    pub(super) reason: String,
}

impl Example for Skipped {
    fn example() -> Self {
        Self { line: 17, reason: "a code has 3 to 32 characters".to_owned() }
    }
}

/// What became of a table of codes.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Import {
    /// The number of the new batch; without it, no line had a code that is new.
    pub(super) number: Option<u32>,
    /// How many codes it has.
    pub(super) imported: u32,
    /// The lines that were left out, the first 1,000 of them.
    pub(super) skipped: Vec<Skipped>,
    /// How many lines were left out.
    pub(super) skipped_in_all: u32,
    /// A read model that has come this far in the log shows it: see `min_position`.
    pub(super) position: Option<i64>,
}

impl Example for Import {
    fn example() -> Self {
        Self {
            number: Some(8),
            imported: 499,
            skipped: vec![Skipped::example()],
            skipped_in_all: 1,
            position: Some(1042),
        }
    }
}

/// A table was looked at.
#[derive(ApiResponse)]
pub(super) enum Imported {
    /// What is new in it is a batch now. The answer to a repeated request is the first one's.
    #[oai(status = 200)]
    Imported(
        Json<Import>,
        /// `true` when the request had taken effect before, under the same Idempotency-Key.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

/// A body that is a table of comma-separated values.
pub(super) struct TableBody(pub(super) String);

impl<'a> ApiExtractor<'a> for TableBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        let example = Some("code\r\nSPRING-1\r\nSPRING-2\r\n".into());
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema { example, ..MetaSchema::new("string") }));
        let content = MetaMediaType { content_type: "text/csv", schema };
        Some(MetaRequest { description: None, content: vec![content], required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let essence = request.content_type().and_then(|kind| kind.split(';').next()).unwrap_or_default();
        if !essence.trim().eq_ignore_ascii_case("text/csv") {
            let problem = Problem::from(Kind::MediaType);
            return Err(problem.with_detail("The body must be a table, and its Content-Type text/csv.").into());
        }
        let text = String::from_utf8(bytes(request, body).await?.to_vec());
        Ok(Self(text.map_err(|_| Problem::input("body", "is not UTF-8"))?))
    }
}

pub(super) struct BatchTable;

impl Columns for BatchTable {
    const NAMES: &'static str = "number,campaign_id,count,minted,revoked_at,created_at";
    const EXAMPLE: &'static str = "7,01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,10000,true,,2027-01-15T08:00:00.000000Z";
}

pub(super) fn batch_line(row: &read_model::Batch) -> String {
    line(&[
        &row.number.to_string(),
        &row.campaign_id.to_string(),
        &row.count.to_string(),
        &row.minted.to_string(),
        &row.revoked_at.map(time).unwrap_or_default(),
        &time(row.created_at),
    ])
}

/// The codes of a batch.
pub(super) struct CodeTable;

impl Columns for CodeTable {
    const NAMES: &'static str = "code";
    const EXAMPLE: &'static str = "7Q2M4K9WXA0ZT";
}
