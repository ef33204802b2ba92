//! Letting go of a shared code, which two streams have to agree on.

use aggregates::{Code, CodeText, code};
use uuid::Uuid;

use crate::{
    app::App,
    executor::{SendError, Wish},
    log::Cause,
};

const ATTEMPTS: usize = 20;

/// Releases a code that a campaign holds and does not want (any more).
///
/// The campaign may change its mind at the same time. The code is looked at
/// first and released in the version that was seen; a campaign that wants it
/// back claims it again, which raises the version, and then it stays.
///
/// # Errors
/// [`SendError`]; to be tried again.
pub async fn release_unwanted(
    app: &App,
    campaign: Uuid,
    code: &CodeText,
    cause: &Cause,
) -> Result<(), SendError<code::Refusal>> {
    for _ in 0..ATTEMPTS {
        let (held, version) = app
            .codes
            .look(code.as_str(), |state, version, _| {
                (matches!(state, Code::Held { campaign: holder } if *holder == campaign), version)
            })
            .await?;
        if !held || app.campaigns.look(&campaign.to_string(), |campaign, _, _| campaign.wants(code)).await? {
            return Ok(());
        }
        let command = code::Command::Release { campaign, at: app.clock.now() };
        let wish = Wish { command, cause: cause.clone(), once: None, expected: Some(version) };
        match app.codes.send(code.as_str(), wish).await {
            Err(SendError::Precondition { .. }) => {}
            answer => return answer.map(drop),
        }
    }
    Err(SendError::Busy { attempts: ATTEMPTS as u32 })
}
