//! Telling the admins that something needs a person, without telling it all the time.

use crate::{
    app::App,
    integrations::telegram::OutgoingMessage,
    jobs::{self, Job, NewJob},
    wake::Topic,
};

/// Raises an alert: an error in the log, a counter, and a message to each admin of
/// `TELEGRAM_ADMIN_IDS`, once an hour at most for the same `subject`. `text` is plain
/// and names no person.
///
/// # Errors
/// What the database says; the alert is then raised the next time.
pub async fn raise(app: &App, subject: &str, text: &str) -> Result<(), sqlx::Error> {
    let mut transaction = app.pool.begin().await?;
    let news = sqlx::query!(
        "insert into alerts (subject, raised_at) values ($1, now()) \
         on conflict (subject) do update set raised_at = now() where alerts.raised_at < now() - interval '1 hour'",
        subject,
    )
    .execute(&mut *transaction)
    .await?;
    if news.rows_affected() == 0 {
        return Ok(());
    }
    let messages: Vec<NewJob> = app
        .config
        .telegram_admin_ids
        .iter()
        .map(|admin| NewJob {
            job: Job::TelegramMessage(OutgoingMessage {
                chat_id: *admin,
                text: text.to_owned(),
                ..OutgoingMessage::default()
            }),
            correlation: app.clock.new_id(),
            causation: format!("alert:{subject}"),
        })
        .collect();
    jobs::enqueue(&mut transaction, &messages).await?;
    transaction.commit().await?;
    app.wake.up(Topic::Jobs);
    app.metrics.alerts.with_label_values(&[subject.split(':').next().unwrap_or(subject)]).inc();
    tracing::error!(subject, text, "an alert");
    Ok(())
}

/// Lets a subject be alerted of at once when it comes up again.
///
/// # Errors
/// What the database says.
pub async fn settle(app: &App, subject: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from alerts where subject = $1", subject).execute(&app.pool).await?;
    Ok(())
}
