//! Parts of the path and of the query that several resources have.

use chrono::{DateTime, Utc};
use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchemaRef, Registry},
    types::ParseFromParameter,
};
use projections::page::{Cursor, is_usual};
use tokio::time::Duration;

use super::{
    parse_words,
    problem::{Answer, Kind, Problem},
};
use crate::{app::App, feed};

/// The one variable part of a path. Unlike poem-openapi's own extractor it names
/// the part that is wrong as the document does.
pub(super) struct At<T>(pub(super) T);

impl<'a, T: ParseFromParameter> ApiExtractor<'a> for At<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = true;
    type ParamType = T;
    type ParamRawType = T::RawValueType;

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Path)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(T::schema_ref())
    }

    fn param_raw_type(&self) -> Option<&T::RawValueType> {
        self.0.as_raw_value()
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<T>,
    ) -> poem::Result<Self> {
        let name = options.name;
        // The router knows the variable parts by their number.
        match ParseFromParameter::parse_from_parameters(request.raw_path_param("param0")) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(Problem::input(name, parse_words::plain(&error.into_message(), || None)).into()),
        }
    }
}

/// How many items a page has when nothing is said.
pub(super) fn usual_limit() -> i64 {
    50
}

/// How long a read waits for `min_position` when nothing is said.
pub(super) fn usual_wait() -> u64 {
    5_000
}

/// A cursor of a list that is sorted so that it `fits`.
pub(super) fn cursor(given: Option<&String>, fits: impl Fn(&Cursor) -> bool) -> Answer<Option<Cursor>> {
    let Some(text) = given else { return Ok(None) };
    match text.parse::<Cursor>() {
        Ok(cursor) if fits(&cursor) => Ok(Some(cursor)),
        Ok(_) => Err(Problem::input("cursor", "is of a list that was sorted otherwise")),
        Err(error) => Err(Problem::input("cursor", error.to_string())),
    }
}

/// What is wrong with an instant that is not usual.
pub(super) const UNUSUAL: &str = "must lie in the years 0 to 9999";

/// An instant in a parameter.
pub(super) fn instant(name: &str, given: Option<DateTime<Utc>>) -> Answer<Option<DateTime<Utc>>> {
    match given {
        Some(time) if !is_usual(&time) => Err(Problem::input(name, UNUSUAL)),
        given => Ok(given),
    }
}

/// Waits until a read model shows `min_position`.
pub(super) async fn shows(app: &App, read_model: &str, min_position: Option<i64>, wait_ms: u64) -> Answer<()> {
    let Some(position) = min_position else { return Ok(()) };
    if feed::wait_for(&app.pool, read_model, position, Duration::ZERO).await? >= position {
        return Ok(());
    }
    if position > app.log.last_position().await? {
        return Err(
            Problem::from(Kind::PositionUnknown).with_error("min_position", "is beyond the last event of the log")
        );
    }
    let reached = feed::wait_for(&app.pool, read_model, position, Duration::from_millis(wait_ms)).await?;
    if reached >= position {
        return Ok(());
    }
    Err(Problem::from(Kind::ReadModelBehind)
        .with_detail(format!("It shows the log up to position {reached}. Try again, or wait longer (wait_ms).")))
}

/// How long a read model may be behind what was acknowledged a moment ago.
const MOMENT: Duration = Duration::from_secs(2);

/// Has a read model show all that the log has by now, if it can in a moment: before it is
/// said that something is not there, as whoever asks may have been told of it just now.
pub(super) async fn caught_up(app: &App, read_model: &str) -> Answer<()> {
    let newest = app.log.last_position().await?;
    feed::wait_for(&app.pool, read_model, newest, MOMENT).await?;
    Ok(())
}

/// A cursor for examples.
pub(super) fn example_cursor() -> String {
    "01935c2e7b4a7c319f055d1a8e6204b7t1800000000000000".to_owned()
}
