//! Opening a campaign: two streams have to agree, its own and its code's.
//!
//! The code is claimed first, and only for a draft that wants it; then the
//! draft is activated, on the version that was looked at. Whatever happens in
//! between, an active campaign holds its code: at worst a claim is left with a
//! draft that wants another code by now, and it is given back.

use aggregates::{Campaign, CodeText, campaign::Command, code};
use uuid::Uuid;

use super::problem::{Answer, Kind};
use crate::{
    app::App,
    codes,
    executor::{Done, SendError, Wish},
    log::{Cause, Once},
};

const ATTEMPTS: usize = 20;

pub(super) async fn activate(app: &App, id: Uuid, cause: &Cause, once: Option<Once>) -> Answer<Done<Campaign>> {
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
    Err(Kind::Busy.into())
}

async fn claim(app: &App, id: Uuid, code: &CodeText, cause: &Cause) -> Answer<()> {
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
