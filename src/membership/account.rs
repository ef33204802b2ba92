//! Telegram accounts as the rules know them.

use aggregates::{Personal, subscription::Account};

use crate::{app::App, jobs::JobError};

/// The account of a Telegram user.
pub(crate) async fn account_of(app: &App, telegram: i64) -> Result<Account, JobError> {
    let person = app.person_of_telegram(telegram).await.map_err(|error| JobError::retry(&error))?;
    Ok(Account { person, telegram: Personal::new(telegram) })
}
