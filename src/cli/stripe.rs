use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    app::{App, Role},
    stripe::sync::{self, Progress},
};

/// Catch up with Stripe.
#[derive(Args)]
pub(super) struct Stripe {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Take in what Stripe told in vain; the first time, all subscriptions and invoices
    Sync {
        /// Take in all subscriptions and invoices again
        #[arg(long)]
        everything: bool,
    },
}

impl Stripe {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<ExitCode> {
        let Verb::Sync { everything } = self.verb;
        // As a web process does: jobs are for those that work.
        let running = app.start(Role::Web).await?;
        let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}  {elapsed}")?);
        let done = sync::sync(app, everything, |progress| {
            bar.set_message(said(progress));
            bar.tick();
        })
        .await;
        bar.finish_and_clear();
        running.stop().await;
        println!("{}", said(done?));
        Ok(ExitCode::SUCCESS)
    }
}

fn said(progress: Progress) -> String {
    let Progress { subscriptions, invoices, events, missed, unreadable } = progress;
    let unreadable = match unreadable {
        0 => String::new(),
        many => format!(", {many} unreadable"),
    };
    format!(
        "{subscriptions} subscriptions and {invoices} invoices taken in; {events} events listed, {missed} of them \
         missed{unreadable}"
    )
}
