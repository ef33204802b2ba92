//! Templates of cards, each with its picture's key and its layout.

use aggregates::{
    Fact,
    template::{self, Picture},
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, PgExecutor, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use crate::{
    Event, Projection, ProjectionError,
    page::{Cursor, Key, Page, page},
    stream_uuid,
};

/// The projection.
pub struct Templates;

/// A template as it is shown.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// For people.
    pub name: String,
    /// The picture's key in the object storage.
    pub object: String,
    /// See [`template::MediaType::as_str`].
    pub media_type: String,
    /// Of the picture, in pixels.
    pub width: i32,
    /// Of the picture, in pixels.
    pub height: i32,
    /// Length of the picture's file.
    pub bytes: i32,
    /// What is written where.
    pub layout: Json<Value>,
    /// When it was put away; none: it can be chosen.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
    /// Its last change.
    pub updated_at: DateTime<Utc>,
    /// Of the stream.
    pub version: i64,
}

/// One template.
///
/// # Errors
/// What the database says.
pub async fn find(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id, name, object, media_type, width, height, bytes, layout as "layout: Json<Value>", archived_at,
                  created_at, updated_at, version
             from templates where id = $1"#,
        id
    )
    .fetch_optional(executor)
    .await
}

/// A page of templates, the newest first: those that can be chosen, those put away, or all.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    archived: Option<bool>,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(
        "select id, name, object, media_type, width, height, bytes, layout, archived_at, created_at, updated_at, version \
           from templates where true",
    );
    if let Some(archived) = archived {
        query.push(" and (archived_at is not null) = ").push_bind(archived);
    }
    if let Some(Cursor { key: Key::Time(time), id }) = after {
        query.push(" and (created_at, id) < (").push_bind(*time).push(", ").push_bind(*id).push(")");
    }
    query.push(" order by created_at desc, id desc limit ").push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Time(row.created_at), id: row.id }))
}

impl Projection for Templates {
    fn name(&self) -> &'static str {
        "templates"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["templates"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            for event in events {
                let Fact::Template(fact) = &event.fact else { continue };
                let id = stream_uuid(event)?;
                apply(connection, id, event, fact)
                    .await
                    .map_err(|source| ProjectionError::Database { projection: "templates", source })?;
            }
            Ok(())
        })
    }
}

async fn apply(
    connection: &mut PgConnection,
    id: Uuid,
    event: &Event,
    fact: &template::Event,
) -> Result<(), sqlx::Error> {
    let mut change = Change::default();
    match fact {
        template::Event::Uploaded { name, picture, at: _ } => {
            return insert(connection, id, event, name, picture).await;
        }
        template::Event::Named { name, at: _ } => change.name = Some(name),
        template::Event::LayoutPlaced { layout, at: _ } => change.layout = Some(layout),
        template::Event::Archived { at } => change.archived_at = Some(*at),
        template::Event::Restored { at: _ } => change.restored = true,
    }
    change.write(connection, id, event).await
}

async fn insert(
    connection: &mut PgConnection,
    id: Uuid,
    event: &Event,
    name: &str,
    picture: &Picture,
) -> Result<(), sqlx::Error> {
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    sqlx::query!(
        "insert into templates (id, name, object, media_type, width, height, bytes, layout, created_at, updated_at, \
                                version) \
         values ($1, $2, $3, $4, $5, $6, $7, 'null', $8, $8, $9)",
        id,
        name,
        picture.object,
        picture.media_type.as_str(),
        number(picture.width),
        number(picture.height),
        number(picture.bytes),
        event.recorded_at,
        event.sequence,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What an event changes; what is not given stays.
#[derive(Default)]
struct Change<'a> {
    name: Option<&'a String>,
    layout: Option<&'a Value>,
    archived_at: Option<DateTime<Utc>>,
    restored: bool,
}

impl Change<'_> {
    async fn write(&self, connection: &mut PgConnection, id: Uuid, event: &Event) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update templates \
                set name = coalesce($2, name), layout = coalesce($3::json, layout), \
                    archived_at = case when not $5 then coalesce($4, archived_at) end, updated_at = $6, version = $7 \
              where id = $1",
            id,
            self.name,
            self.layout.map(Json) as _,
            self.archived_at,
            self.restored,
            event.recorded_at,
            event.sequence,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
