use std::process::ExitCode;

use crate::{app::App, clock::Clock, config::Config, http};

/// A database that need not be there: the document is made without it.
const NOWHERE: &str = "postgres://localhost/nowhere";

pub(super) fn run(config: Config) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let document =
        runtime.block_on(async { App::build(config, NOWHERE, Clock::system()).map(|app| http::document(&app)) })?;
    super::print(&document)?;
    Ok(ExitCode::SUCCESS)
}
