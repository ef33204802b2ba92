//! Opening a campaign: two streams have to agree, its own and its code's.
//!
//! The code is claimed first, and only for a draft that wants it; then the
//! draft is activated, on the version that was looked at. Whatever happens in
//! between, an active campaign holds its code: at worst a claim is left with a
//! draft that wants another code by now, and it is given back.

use aggregates::{
    Campaign, CodeText,
    campaign::{self, Command},
    code,
};
use uuid::Uuid;

use crate::{
    app::App,
    codes,
    executor::{Done, SendError, Wish},
    imports::{self, ImportError},
    log::{Cause, LogError, Once},
};

const ATTEMPTS: usize = 20;

/// Why a campaign was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActivateError {
    /// The campaign says no, or could not be asked.
    #[error(transparent)]
    Campaign(#[from] SendError<campaign::Refusal>),
    /// Another campaign holds the code.
    #[error("campaign {holder} holds the code")]
    CodeInUse {
        /// Which.
        holder: Uuid,
    },
    /// It is one of the codes that were imported for a campaign.
    #[error("the code was imported for campaign {importer}")]
    CodeImported {
        /// Which.
        importer: Uuid,
    },
    /// Whether it was imported could not be looked up.
    #[error(transparent)]
    Imports(ImportError),
    /// The code could not be asked.
    #[error(transparent)]
    Code(SendError<code::Refusal>),
    /// The campaign could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Others changed the campaign each time; try again.
    #[error("the campaign was changed {ATTEMPTS} times meanwhile")]
    Busy,
}

impl From<SendError<code::Refusal>> for ActivateError {
    fn from(error: SendError<code::Refusal>) -> Self {
        match error {
            SendError::Refused(code::Refusal::Held { campaign: holder }) => Self::CodeInUse { holder },
            error => Self::Code(error),
        }
    }
}

/// Opens a campaign, at once or when it starts.
///
/// # Errors
/// [`ActivateError`].
pub(crate) async fn activate(
    app: &App,
    id: Uuid,
    cause: &Cause,
    once: Option<Once>,
) -> Result<Done<Campaign>, ActivateError> {
    // Before any claim: the campaign may have ended since, and its code be another's.
    if let Some(once) = &once
        && let Some(done) = app.campaigns.answered(once).await?
    {
        return Ok(done);
    }
    let stream = id.to_string();
    for _ in 0..ATTEMPTS {
        let (code, version) = app
            .campaigns
            .look(&stream, |campaign, version, _| {
                let code = match campaign {
                    // Unique codes are nobody else's.
                    Campaign::Draft(running) => running.terms.code.clone(),
                    // The aggregate says no, and the refusal is kept under the key.
                    Campaign::Missing
                    | Campaign::Scheduled(_)
                    | Campaign::Active(_)
                    | Campaign::Paused(_)
                    | Campaign::Ended(_)
                    | Campaign::Archived(_) => None,
                };
                (code, version)
            })
            .await?;
        if let Some(code) = &code {
            claim(app, id, code, cause).await?;
        }
        let command = Command::Activate { at: app.clock.now() };
        let wish = Wish { command, cause: cause.clone(), once: once.clone(), expected: Some(version) };
        match app.campaigns.send(&stream, wish).await {
            Err(SendError::Precondition { .. }) => {
                if let Some(code) = &code {
                    codes::release_unwanted(app, id, code, cause).await?;
                }
            }
            answer => return Ok(answer?),
        }
    }
    Err(ActivateError::Busy)
}

/// Claims a code that is nobody else's, neither as a shared one nor as a unique one.
async fn claim(app: &App, id: Uuid, code: &CodeText, cause: &Cause) -> Result<(), ActivateError> {
    let importer = async || imports::importer(app, code).await.map_err(ActivateError::Imports);
    // Looked up before, so that the claim does not stand between the code and its owners for a moment.
    if let Some(importer) = importer().await? {
        return Err(ActivateError::CodeImported { importer });
    }
    hold(app, id, code, cause).await?;
    // And again: no import that begins from here on overlooks the claim.
    let Some(importer) = importer().await? else { return Ok(()) };
    let command = code::Command::Release { campaign: id, at: app.clock.now() };
    let wish = Wish { command, cause: cause.clone(), once: None, expected: None };
    app.codes.send(code.as_str(), wish).await?;
    Err(ActivateError::CodeImported { importer })
}

async fn hold(app: &App, id: Uuid, code: &CodeText, cause: &Cause) -> Result<(), ActivateError> {
    let command = code::Command::Claim { campaign: id, at: app.clock.now() };
    let wish = Wish { command, cause: cause.clone(), once: None, expected: None };
    let holder = match app.codes.send(code.as_str(), wish.clone()).await {
        Err(SendError::Refused(code::Refusal::Held { campaign })) => campaign,
        answer => return Ok(answer.map(drop)?),
    };
    // A campaign that has ended lets go of its code in its own time; no need to wait for it.
    codes::release_unwanted(app, holder, code, cause).await?;
    Ok(app.codes.send(code.as_str(), wish).await.map(drop)?)
}
