//! Pictures as bodies of requests, and as answers.

use bytes::Bytes;
use cards::Background;
use poem::{
    IntoResponse, Request, RequestBody, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use tokio::time::Duration;

use super::{
    body::{announced, bytes_within},
    context::Context,
    problem::{Kind, Problem},
};
use crate::cards::Turn;

/// How long an upload waits until there is room for it. Each of those before it has half a minute to arrive.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What a picture may be called.
const TYPES: [&str; 3] = ["image/png", "image/jpeg", "image/svg+xml"];

fn content() -> Vec<MetaMediaType> {
    let example = Some("(the file)".into());
    let schema = || MetaSchema { example: example.clone(), ..MetaSchema::new_with_format("string", "binary") };
    let media = |content_type| MetaMediaType { content_type, schema: MetaSchemaRef::Inline(Box::new(schema())) };
    TYPES.into_iter().map(media).collect()
}

/// A body that is said to be a picture, in memory. Few are at the same time;
/// others wait with what they sent in the network.
pub(super) struct PictureBody {
    pub(super) bytes: Bytes,
    /// What it is said to be.
    pub(super) named: &'static str,
    /// Its place in memory.
    _turn: Turn,
}

impl<'a> ApiExtractor<'a> for PictureBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest { description: None, content: content(), required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let essence = request.content_type().and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        // Also keeps forms of other sites out: they cannot send these types.
        let Some(named) = TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(essence)) else {
            let detail = "The body must be a picture, and its Content-Type image/png, image/jpeg or image/svg+xml.";
            return Err(Problem::from(Kind::MediaType).with_detail(detail).into());
        };
        // It does not wait for its turn, either.
        if announced(request).is_some_and(|length| length > Background::MOST_BYTES as u64) {
            return Err(too_large().into());
        }
        let drawer = &Context::of(request)?.inside.app.drawer;
        let turn = tokio::time::timeout(PATIENCE, drawer.upload_turn());
        let turn = turn.await.map_err(|_| Problem::from(Kind::Overloaded))?.ok_or(Problem::from(Kind::Stopping))?;
        let bytes =
            bytes_within(request, body, Background::MOST_BYTES).await.map_err(|problem| match problem.kind() {
                Kind::BodyTooLarge => too_large(),
                _ => problem,
            })?;
        Ok(Self { bytes, named, _turn: turn })
    }
}

fn too_large() -> Problem {
    let most = Background::MOST_BYTES / (1024 * 1024);
    Problem::from(Kind::BodyTooLarge).with_detail(format!("A picture has at most {most} MiB, an SVG at most 1 MiB."))
}

/// An uploaded picture, as it was uploaded.
pub(super) struct Uploaded {
    pub(super) bytes: Bytes,
    pub(super) media_type: &'static str,
}

/// It is somebody's drawing: if it is opened as a page, nothing in it runs and nothing is fetched.
const CONTENT_SECURITY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox");

impl IntoResponse for Uploaded {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type(self.media_type)
            .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY)
            // Another picture is another template.
            .header(header::CACHE_CONTROL, "private, max-age=86400, immutable")
            .body(self.bytes)
    }
}

impl ApiResponse for Uploaded {
    fn meta() -> MetaResponses {
        let response = MetaResponse {
            description: "The picture.",
            status: Some(200),
            status_range: None,
            content: content(),
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}
