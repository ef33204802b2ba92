use std::process::ExitCode;

use crate::app::App;

pub(super) async fn run(app: &App) -> anyhow::Result<ExitCode> {
    app.prepare().await?;
    println!("The database is up to date.");
    Ok(ExitCode::SUCCESS)
}
