//! Templates of cards: upload, lay out, look at and choose them.

use aggregates::{
    campaign,
    template::{self, Command, Design, Picture as StoredPicture},
};
use cards::Layout;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Query},
    payload::Json,
};
use projections::{
    page::{Cursor, Key},
    templates::{self, Row},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, CampaignsRead, CampaignsWrite},
    body::Body,
    cards::Picture,
    csv::{Columns, PIECE, Table, line, maybe, pieces, time},
    layout_json::{LayoutDraft, fits},
    mutation::{Changed, Created, IfMatch, changed, created_at, etag, once},
    params::{At, cursor, shows, usual_limit, usual_wait},
    problem::{Answer, Kind, Problem},
    template_json::{Choice, NewName, Sample, Template, TemplatePage},
    upload::{PATIENCE, PictureBody, Uploaded},
};
use crate::{app::App, cards as drawing, executor::Wish, integrations::storage::Key as ObjectKey};

pub(super) struct Templates(pub(super) App);

#[derive(ApiResponse)]
#[allow(clippy::large_enum_variant, reason = "made to be sent at once")]
enum Found {
    /// The template.
    #[oai(status = 200)]
    Found(
        Json<Template>,
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

struct TemplateTable;

impl Columns for TemplateTable {
    const NAMES: &'static str = "id,name,media_type,width,height,bytes,archived_at,created_at,updated_at,version";
    const EXAMPLE: &'static str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,Spring,image/png,1200,630,48213,,\
                                   2027-01-15T08:00:00.000000Z,2027-01-15T08:00:00.000000Z,2";
}

fn row_line(row: &Row) -> String {
    line(&[
        &row.id.to_string(),
        &row.name,
        &row.media_type,
        &row.width.to_string(),
        &row.height.to_string(),
        &row.bytes.to_string(),
        &maybe(row.archived_at.map(time)),
        &time(row.created_at),
        &time(row.updated_at),
        &row.version.to_string(),
    ])
}

#[OpenApi(tag = "Tags::Templates")]
impl Templates {
    /// Upload a template
    ///
    /// A picture that coupons are drawn on: PNG, JPEG or SVG, told apart by its first bytes; at most 10 MiB (an SVG 1 MiB),
    /// 200 to 4,096 pixels each side and 8,388,608 in all. An SVG may draw and nothing else: no scripts, no references to
    /// anything outside, no entities. It has a layout that works from the start, with the code, the holder's name, the
    /// validity and the QR code on a white plate.
    ///
    /// Problems: invalid-picture, storage-unavailable
    #[oai(path = "/templates", method = "post", operation_id = "uploadTemplate")]
    async fn upload(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// What it is called; for people. One line.
        #[oai(validator(min_length = 1, max_length = 120))]
        name: Query<String>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        /// The picture itself.
        body: PictureBody,
    ) -> Answer<Created> {
        template::Template::check_name(&name.0)?;
        let read = self.0.drawer.read(body.bytes.clone()).await?;
        let once = once(&caller, idempotency_key.0, &["POST", "/api/templates", &name.0, read.key.as_str()])?;
        if read.media_type.as_str() != body.named {
            return Err(Problem::from(Kind::InvalidPicture).with_error(
                "Content-Type",
                format!("says {}, but the body is {}", body.named, read.media_type.as_str()),
            ));
        }
        let layout = serde_json::to_value(Layout::usual(read.width, read.height)).map_err(internal)?;
        let picture = StoredPicture {
            object: read.key.to_string(),
            media_type: read.media_type,
            width: read.width,
            height: read.height,
            bytes: u32::try_from(body.bytes.len()).unwrap_or(u32::MAX),
        };
        // First the object, then the event that names it.
        self.0.storage.put(&read.key, body.bytes.clone(), body.named).await?;
        let command = Command::Upload { name: name.0, picture, layout, at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: Some(0) };
        created_at("/api/templates", &self.0.templates.send(&self.0.clock.new_id().to_string(), wish).await?)
    }

    /// List templates
    ///
    /// A page of them, the newest first, each with its layout.
    #[oai(path = "/templates", method = "get", operation_id = "listTemplates")]
    async fn list(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// Only those that are put away, or only those that are not.
        archived: Query<Option<bool>>,
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
    ) -> Answer<Json<TemplatePage>> {
        let after = self::cursor(cursor.0.as_ref(), |cursor| matches!(cursor.key, Key::Time(_)))?;
        shows(&self.0, "templates", min_position.0, wait_ms.0).await?;
        let page = templates::list(&self.0.pool, archived.0, after.as_ref(), limit.0).await?;
        Ok(Json(TemplatePage {
            items: page.rows.into_iter().map(Template::try_from).collect::<Answer<_>>()?,
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export templates
    ///
    /// All that match the filter, the newest first, as CSV; without their layouts.
    #[oai(path = "/templates.csv", method = "get", operation_id = "exportTemplates")]
    async fn export(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// Only those that are put away, or only those that are not.
        archived: Query<Option<bool>>,
    ) -> Answer<Table<TemplateTable>> {
        let pool = self.0.pool.clone();
        let lines = pieces(move |after: Option<Cursor>| {
            let pool = pool.clone();
            async move {
                let page = templates::list(&pool, archived.0, after.as_ref(), PIECE).await?;
                Ok::<_, sqlx::Error>((page.rows.iter().map(row_line).collect(), page.next))
            }
        });
        Ok(Table::named("templates", lines))
    }

    /// Show a template
    ///
    /// With its layout and its ETag, which changes with every change.
    #[oai(path = "/templates/:id", method = "get", operation_id = "getTemplate")]
    async fn show(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The template's id.
        id: At<Uuid>,
        /// An ETag of the template; if it still has it, the answer is 304 without a body.
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
        shows(&self.0, "templates", min_position.0, wait_ms.0).await?;
        let row = templates::find(&self.0.pool, id.0).await?.ok_or(Kind::TemplateMissing)?;
        let etag = etag(row.version);
        if known.is_some_and(|known| known.contains(row.version)) {
            return Ok(Found::Unchanged(etag));
        }
        Ok(Found::Found(Json(row.try_into()?), etag, "private, no-cache".to_owned()))
    }

    /// Get a template's picture
    ///
    /// As it was uploaded. It never changes: another picture is another template.
    ///
    /// Problems: storage-unavailable, overloaded, stopping
    #[oai(path = "/templates/:id/image", method = "get", operation_id = "getTemplateImage")]
    async fn image(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The template's id.
        id: At<Uuid>,
    ) -> Answer<Uploaded> {
        let (_, design) = self.design(id.0).await?;
        let object = design.picture.object;
        // Its turn, as it is in memory until it is sent; those that are sent are not counted.
        let turn = tokio::time::timeout(PATIENCE, self.0.drawer.upload_turn()).await;
        let _turn = turn.map_err(|_| Kind::Overloaded)?.ok_or(Kind::Stopping)?;
        let key = ObjectKey::new(object.clone()).map_err(internal)?;
        let bytes = self.0.storage.get(&key).await?.ok_or(drawing::CardError::Missing(object))?;
        Ok(Uploaded { bytes, media_type: design.picture.media_type.as_str() })
    }

    /// Rename a template
    ///
    /// The change is made on the version in If-Match and refused when the template has changed since.
    ///
    /// Problems: template-archived
    #[oai(path = "/templates/:id", method = "patch", operation_id = "renameTemplate")]
    async fn rename(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The template's id.
        id: At<Uuid>,
        /// The ETag of the template as you have seen it, or `*`. Required.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        /// The new name.
        body: Body<NewName>,
    ) -> Answer<Changed> {
        let command = Command::Rename { name: body.value.0, at: self.0.clock.now() };
        self.change(&caller, id.0, if_match.0, idempotency_key.0, ["rename", &body.canonical], command).await
    }

    /// Place a template's layout
    ///
    /// All of it; what it had is gone. Every card that is drawn from now on has it. The change is made on the version in
    /// If-Match and refused when the template has changed since. Try it with `previewTemplate` first.
    ///
    /// Problems: template-archived, invalid-layout
    #[oai(path = "/templates/:id/layout", method = "put", operation_id = "placeLayout")]
    async fn place(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The template's id.
        id: At<Uuid>,
        /// The ETag of the template as you have seen it, or `*`. Required.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        /// What is written where.
        body: Body<LayoutDraft>,
    ) -> Answer<Changed> {
        // The size of a picture never changes, so what is judged here holds when the command is decided.
        let (_, design) = self.design(id.0).await?;
        let layout = &body.value.0;
        fits(layout, design.picture.width, design.picture.height, "")?;
        let layout = serde_json::to_value(layout).map_err(internal)?;
        let command = Command::PlaceLayout { layout, at: self.0.clock.now() };
        self.change(&caller, id.0, if_match.0, idempotency_key.0, ["layout", &body.canonical], command).await
    }

    /// Put away a template
    ///
    /// No campaign can choose it any more. Those that have it keep it, and their cards look as before.
    #[oai(path = "/templates/:id/archive", method = "post", operation_id = "archiveTemplate")]
    async fn archive(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The template's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        let command = Command::Archive { at: self.0.clock.now() };
        self.change(&caller, id.0, Some("*".to_owned()), idempotency_key.0, ["archive", ""], command).await
    }

    /// Bring back a template
    ///
    /// One that was put away: campaigns can choose it again.
    #[oai(path = "/templates/:id/restore", method = "post", operation_id = "restoreTemplate")]
    async fn restore(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The template's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        let command = Command::Restore { at: self.0.clock.now() };
        self.change(&caller, id.0, Some("*".to_owned()), idempotency_key.0, ["restore", ""], command).await
    }

    /// Try a template out
    ///
    /// Keeps nothing: draws a card with sample values, and with a layout that is not saved yet if one is given. Its QR
    /// code is as large as a real one and leads nowhere.
    ///
    /// Problems: invalid-layout, storage-unavailable
    #[oai(path = "/templates/:id/preview", method = "post", operation_id = "previewTemplate")]
    async fn preview(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The template's id.
        id: At<Uuid>,
        /// What to draw; everything has a sample value.
        body: Body<Sample>,
    ) -> Answer<Picture> {
        let (_, design) = self.design(id.0).await?;
        let Sample { layout, values } = body.value;
        if let Some(layout) = &layout {
            fits(layout, design.picture.width, design.picture.height, "layout.")?;
        }
        Ok(Picture(drawing::sample(&self.0, &design, layout, values).await?))
    }

    /// Choose a campaign's template
    ///
    /// Every card of the campaign that is drawn from now on is drawn on it; without one, on our ticket.
    ///
    /// Problems: campaign-status, template-missing, template-archived
    #[oai(path = "/campaigns/:id/template", method = "put", operation_id = "chooseTemplate")]
    async fn choose(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The campaign's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        /// Which template.
        body: Body<Choice>,
    ) -> Answer<Changed> {
        let id = id.0.to_string();
        let once = once(&caller, idempotency_key.0, &["template", &id, &body.canonical])?;
        if let Some(once) = &once
            && let Some(done) = self.0.campaigns.answered(once).await?
        {
            return changed(&done);
        }
        let template = body.value.0;
        if let Some(template) = template {
            let choosable = |template: &template::Template, _, _| template.choosable().map(|_| ());
            self.0.templates.look(&template.to_string(), choosable).await??;
        }
        let command = campaign::Command::DesignCard { template, at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        changed(&self.0.campaigns.send(&id, wish).await?)
    }
}

impl Templates {
    /// Its version, and what its cards are drawn with; asked of the template itself.
    async fn design(&self, id: Uuid) -> Answer<(i64, Design)> {
        let look = |template: &template::Template, version, _| template.design().cloned().map(|d| (version, d));
        Ok(self.0.templates.look(&id.to_string(), look).await?.ok_or(Kind::TemplateMissing)?)
    }

    async fn change(
        &self,
        caller: &Allowed<CampaignsWrite>,
        id: Uuid,
        if_match: Option<String>,
        key: Option<String>,
        [name, canonical]: [&str; 2],
        command: Command,
    ) -> Answer<Changed> {
        let if_match = if_match.ok_or(Kind::PreconditionRequired)?;
        let wanted = IfMatch::read("If-Match", &if_match)?;
        let text = id.to_string();
        let once = once(caller, key, &["template", name, &text, &if_match, canonical])?;
        if let Some(once) = &once
            && let Some(done) = self.0.templates.answered(once).await?
        {
            return changed(&done);
        }
        let (version, _) = self.design(id).await?;
        if !wanted.contains(version) {
            return Err(Kind::PreconditionFailed.into());
        }
        let expected = (wanted != IfMatch::Any).then_some(version);
        let wish = Wish { command, cause: caller.cause(), once, expected };
        changed(&self.0.templates.send(&text, wish).await?)
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Problem {
    Problem::from(Kind::Internal).because(error)
}
