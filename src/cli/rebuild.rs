use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{app::App, rebuild};

/// Make a read model again from the log.
#[derive(Args)]
pub(super) struct Rebuild {
    /// The read model's name, or `all`
    name: String,
}

impl Rebuild {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<ExitCode> {
        let chosen = rebuild::named(&self.name)?;
        app.prepare().await?;
        for projection in chosen {
            let style = "{msg:14} {wide_bar} {pos}/{len} events  {per_sec}  {eta} left";
            let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(style)?);
            bar.set_message(projection.name());
            let position = rebuild::rebuild(&app.pool, projection, app.clock.new_id(), |reached, last| {
                bar.set_length(u64::try_from(last).unwrap_or_default());
                bar.set_position(u64::try_from(reached).unwrap_or_default());
            })
            .await?;
            bar.finish_and_clear();
            println!("{} is rebuilt up to position {position}.", projection.name());
        }
        Ok(ExitCode::SUCCESS)
    }
}
