use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Args;

use crate::postgres::{Cluster, run_with};

/// Run a command with the private PostgreSQL.
#[derive(Args)]
pub(super) struct Postgres {
    /// The command; DATABASE_URL, PGHOST, PGUSER and PGDATABASE lead it to the database
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

impl Postgres {
    pub(super) fn run(self, url: &str, cluster: Option<Cluster>) -> anyhow::Result<ExitCode> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        let status = match &cluster {
            Some(cluster) => run_with(cluster, &mut command),
            None => command.env("DATABASE_URL", url).status(),
        }
        .with_context(|| format!("cannot run {}", self.command[0]))?;
        if let Some(cluster) = cluster {
            cluster.stop()?;
        }
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
    }
}
