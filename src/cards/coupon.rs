//! From a campaign and a code to a card.

use aggregates::{campaign::Terms, template::Design};
use cards::{Layout, LinkError, UploadError, Values};
use tokio::time::Duration;
use uuid::Uuid;

use super::{DrawError, Paper, ReadError};
use crate::{
    app::App,
    bots::texts::Texts,
    integrations::{
        storage::{Key, StorageError},
        telegram::TelegramError,
    },
    log::LogError,
};

/// What stands for a code where there is none yet; it is nobody's.
pub const SAMPLE_CODE: &str = "0000000000000";

/// A bot that stands for ours where a link is only to be looked at.
const SAMPLE_BOT: &str = "your_bot";

/// How long a picture is waited for. A card that comes later is of no use.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do when the picture of a campaign's template cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// There is no card.
    Refuse,
    /// Our ticket is as good.
    Ticket,
}

/// Why there is no card.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// There is no bot that a link could open.
    #[error("there is no bot")]
    NoBot,
    /// Telegram does not say what the bot is called.
    #[error("the bot's name is not known")]
    Bot(#[source] TelegramError),
    /// The code makes no link.
    #[error("the code makes no link")]
    Link(#[from] LinkError),
    /// The template could not be looked up.
    #[error("the template could not be read")]
    Log(#[from] LogError),
    /// The campaign has a template that there is not.
    #[error("there is no template {0}")]
    NoTemplate(Uuid),
    /// The layout was stored by a newer program than this one.
    #[error("the layout cannot be read")]
    Layout(#[source] serde_json::Error),
    /// The store does not give the picture.
    #[error("the picture cannot be fetched")]
    Storage(#[from] StorageError),
    /// The store does not have the picture.
    #[error("the picture {0} is not in the storage")]
    Missing(String),
    /// The store has something else in its place.
    #[error("the picture {0} is not what was stored")]
    Changed(String),
    /// The picture was taken once and is not any more.
    #[error("the picture cannot be read")]
    Unreadable(#[source] UploadError),
    /// Drawing failed.
    #[error(transparent)]
    Draw(#[from] DrawError),
}

impl CardError {
    /// Whether it is for the picture of the template; the ticket could be drawn.
    #[must_use]
    pub const fn is_of_picture(&self) -> bool {
        matches!(self, Self::Storage(_) | Self::Missing(_) | Self::Changed(_) | Self::Unreadable(_))
    }
}

/// Draws the coupon `code` as PNG, with the terms it was issued under, on the
/// campaign's template or our ticket. The QR code opens the bot with the code.
///
/// # Errors
/// [`CardError`]; with [`Lacking::Ticket`] none that [is of the picture](CardError::is_of_picture).
pub async fn coupon(
    app: &App,
    template: Option<Uuid>,
    terms: &Terms,
    code: String,
    holder_name: Option<String>,
    texts: &dyn Texts,
    lacking: Lacking,
) -> Result<Vec<u8>, CardError> {
    let telegram = app.telegram.as_ref().ok_or(CardError::NoBot)?;
    let bot = app.bot.get_or_try_init(|| telegram.identity()).await.map_err(CardError::Bot)?;
    let values = Values {
        link: cards::deep_link(&bot.username, &code)?,
        code,
        holder_name,
        validity: terms.ends_at.map(|ends_at| texts.valid_until(ends_at)),
        campaign_name: terms.name.clone(),
        benefit: terms.benefit.as_ref().map(|benefit| texts.benefit(benefit)).unwrap_or_default(),
    };
    let paper = match template {
        None => Paper::Ticket,
        Some(template) => match paper_of(app, template).await {
            Err(error) if error.is_of_picture() && lacking == Lacking::Ticket => {
                tracing::warn!(error = &error as &dyn std::error::Error, %template, "drawing on the ticket instead");
                Paper::Ticket
            }
            paper => paper?,
        },
    };
    Ok(app.drawer.draw(paper, values).await?)
}

/// Draws a card that is nobody's on a template, with another layout if one is
/// given. Its link, made of the code in `values`, leads nowhere.
///
/// # Errors
/// [`CardError`].
pub async fn sample(app: &App, design: &Design, layout: Option<Layout>, values: Values) -> Result<Vec<u8>, CardError> {
    let values = Values { link: cards::deep_link(SAMPLE_BOT, &values.code)?, ..values };
    let paper = paper(app, design, layout).await?;
    Ok(app.drawer.draw(paper, values).await?)
}

async fn paper_of(app: &App, template: Uuid) -> Result<Paper, CardError> {
    // Asked of the template itself: the read model may not show it yet.
    let design = app.templates.look(&template.to_string(), |template, _, _| template.design().cloned()).await?;
    paper(app, &design.ok_or(CardError::NoTemplate(template))?, None).await
}

async fn paper(app: &App, design: &Design, layout: Option<Layout>) -> Result<Paper, CardError> {
    let layout = match layout {
        Some(layout) => layout,
        None => serde_json::from_value(design.layout.clone()).map_err(CardError::Layout)?,
    };
    let turn = app.drawer.template_turn().await?;
    let object = &design.picture.object;
    let background = match app.drawer.kept(object) {
        Some(background) => background,
        None => {
            let missing = || CardError::Missing(object.clone());
            let key = Key::new(object.clone()).map_err(|_| missing())?;
            let bytes = app.storage.clone().with_patience(PATIENCE).get(&key).await?.ok_or_else(missing)?;
            let read = app.drawer.read_and_keep(key, bytes).await.map_err(|error| match error {
                ReadError::Refused(error) => CardError::Unreadable(error),
                ReadError::BrokenOff => CardError::Draw(DrawError::BrokenOff),
            })?;
            read.ok_or_else(|| CardError::Changed(object.clone()))?
        }
    };
    Ok(Paper::Template { background, layout, turn })
}
