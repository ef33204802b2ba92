//! The few pages for people: a welcome, the interactive document, and what each
//! problem means. Nothing in them comes from another place.

use std::fmt::Write;

use poem::{IntoResponse, Response, endpoint::make_sync, handler, http::header, web::Path};

use super::problem::{Kind, Problem};

pub(super) const HTML: &str = "text/html; charset=utf-8";

const STYLE: &str = "<style>:root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;max-width:42rem;\
    margin:15vh auto;padding:0 1.5rem}h1{font-size:1.6rem;margin:0}p{margin:.6rem 0}a{color:#2a7d5f}\
    code{font-size:.95em}.dim{opacity:.65}ul{padding-left:1.2rem}</style>";

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title>{STYLE}</head><body>{body}</body></html>"
    )
}

/// A text that never changes, made once.
pub(super) fn fixed(content_type: &'static str, text: String) -> impl poem::Endpoint<Output = Response> + 'static {
    let text = bytes::Bytes::from(text);
    make_sync(move |_| {
        Response::builder().content_type(content_type).header(header::CACHE_CONTROL, "no-cache").body(text.clone())
    })
}

pub(super) fn welcome() -> String {
    page(
        "PromoStack",
        "<h1>PromoStack</h1><p class=\"dim\">Coupon campaigns for a Telegram community, on one event log.</p>\
         <ul><li><a href=\"/api/docs\">The API, to read and to try</a></li>\
         <li><a href=\"/api/openapi.json\">Its OpenAPI document</a></li>\
         <li><a href=\"/api/health\">How it is doing</a></li></ul>",
    )
}

/// The page of the interactive document, with ours in the place of poem-openapi's.
pub(super) fn docs(html: &str, spec: &str, document: &str) -> String {
    // Inside a script element only `</` could end it.
    html.replacen(spec, &document.replace("</", "<\\/"), 1).replacen("<title>Scalar", "<title>PromoStack API", 1)
}

/// What a problem means.
#[handler]
pub(super) fn problem(Path(slug): Path<String>) -> poem::Result<Response> {
    let kind = Kind::ALL.iter().find(|kind| kind.slug() == slug);
    let kind = kind.ok_or_else(|| Problem::from(Kind::NotFound))?;
    let mut body = format!("<p class=\"dim\"><code>{}</code> · status {}</p>", kind.uri(), kind.status().as_u16());
    // Our own texts, without anything that HTML would read otherwise.
    let _ = write!(body, "<h1>{}</h1><p>{}</p>", kind.title(), kind.detail());
    Ok(poem::web::Html(page(kind.title(), &body)).into_response())
}
