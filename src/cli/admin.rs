use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::{
    access::admins,
    app::App,
    secrets::{self, Secret},
};

/// Manage admins.
#[derive(Args)]
pub(super) struct Admin {
    #[command(subcommand)]
    verb: AdminVerb,
}

#[derive(Subcommand)]
enum AdminVerb {
    /// Add an admin or give one another password: a generated one, printed once
    SetPassword {
        /// Lower-case letters, digits, dots, hyphens and underscores
        name: String,
    },
}

impl Admin {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<ExitCode> {
        app.prepare().await?;
        match self.verb {
            AdminVerb::SetPassword { name } => {
                let password = Secret::new(secrets::random_text());
                admins::set_password(&app.pool, &name, &password).await?;
                println!("{name} logs in with {}", password.reveal());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
