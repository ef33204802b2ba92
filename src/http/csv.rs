//! Tables as CSV (RFC 4180), streamed page by page, so that their length costs
//! no memory.

use std::{borrow::Cow, marker::PhantomData};

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::{Stream, StreamExt, stream};
use poem::{Body, IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaSchema, MetaSchemaRef},
};

/// What a table holds.
pub(super) trait Columns: Send {
    /// Its first line, without the end.
    const NAMES: &'static str;
    /// A line, for the document.
    const EXAMPLE: &'static str;
}

/// A table.
pub(super) struct Csv<C>(Body, PhantomData<C>);

impl<C: Columns> Csv<C> {
    /// Its lines, many in a piece. An error breaks the answer off: what arrived is
    /// then visibly not all.
    pub(super) fn of<E>(lines: impl Stream<Item = Result<String, E>> + Send + 'static) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let names = stream::once(async { Ok(Bytes::from(format!("{}\r\n", C::NAMES))) });
        let lines = lines.map(|piece| {
            piece.map(Bytes::from).map_err(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "a table breaks off");
                std::io::Error::other("the table breaks off")
            })
        });
        Self(Body::from_bytes_stream(names.chain(lines)), PhantomData)
    }
}

impl<C: Columns> Payload for Csv<C> {
    const CONTENT_TYPE: &'static str = "text/csv; charset=utf-8";

    fn check_content_type(content_type: &str) -> bool {
        content_type.starts_with("text/csv")
    }

    fn schema_ref() -> MetaSchemaRef {
        let mut schema = MetaSchema::new("string");
        schema.description = Some(
            "CSV (RFC 4180) with a line of names. A text that a spreadsheet would take for a formula begins with an apostrophe.",
        );
        schema.example = Some(format!("{}\r\n{}\r\n", C::NAMES, C::EXAMPLE).into());
        MetaSchemaRef::Inline(Box::new(schema))
    }
}

impl<C: Columns> IntoResponse for Csv<C> {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}

/// A table as it is answered.
#[derive(ApiResponse)]
pub(super) enum Table<C: Columns> {
    /// One line for each, streamed.
    #[oai(status = 200)]
    Table(
        Csv<C>,
        /// Suggests a name for the file.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

impl<C: Columns> Table<C> {
    pub(super) fn named<E>(name: &str, lines: impl Stream<Item = Result<String, E>> + Send + 'static) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        Self::Table(Csv::of(lines), format!("attachment; filename=\"{name}.csv\""))
    }
}

/// Rows read at a time for a table.
pub(super) const PIECE: i64 = 1_000;

/// Lines that are read piece by piece, each when the one before it was sent:
/// `read` is told where to go on, and answers lines and where the next piece
/// begins; none after the last one.
pub(super) fn pieces<C, E, F>(
    read: impl Fn(Option<C>) -> F + Send + 'static,
) -> impl Stream<Item = Result<String, E>> + Send + 'static
where
    C: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<(String, Option<C>), E>> + Send + 'static,
{
    stream::try_unfold(Some(None), move |at: Option<Option<C>>| {
        let piece = at.map(&read);
        async move {
            let Some(piece) = piece else { return Ok(None) };
            let (lines, next) = piece.await?;
            Ok(Some((lines, next.map(Some))))
        }
    })
}

/// An instant, as in all tables.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A value that may be missing: an empty field.
pub(super) fn maybe(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// One line, with its end.
pub(super) fn line(fields: &[&str]) -> String {
    let fields: Vec<Cow<'_, str>> = fields.iter().map(|field| cell(field)).collect();
    fields.join(",") + "\r\n"
}

fn cell(text: &str) -> Cow<'_, str> {
    // People choose their names; none of them shall run in somebody's spreadsheet.
    let number = |text: &str| text.parse::<f64>().is_ok();
    // (Numbers and ids of members, which are two with a colon, are nobody's names.)
    let plain = number(text) || text.split_once(':').is_some_and(|(channel, user)| number(channel) && number(user));
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !plain;
    let quoted = text.contains([',', '"', '\n', '\r']);
    match (formula, quoted) {
        (false, false) => Cow::Borrowed(text),
        (true, false) => Cow::Owned(format!("'{text}")),
        (_, true) => {
            let mark = if formula { "'" } else { "" };
            Cow::Owned(format!("\"{mark}{}\"", text.replace('"', "\"\"")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_what_they_are_and_run_nowhere() {
        assert_eq!(line(&["a", "", "b c"]), "a,,b c\r\n");
        assert_eq!(line(&["a,b", "say \"hi\"", "x\ny"]), "\"a,b\",\"say \"\"hi\"\"\",\"x\ny\"\r\n");
        assert_eq!(line(&["=1+1", "-7", "@x", "=a,b"]), "'=1+1,-7,'@x,\"'=a,b\"\r\n");
        assert_eq!(line(&["-1001234567890:7", "-1:=cmd", "-x:1"]), "-1001234567890:7,'-1:=cmd,'-x:1\r\n");
    }
}
