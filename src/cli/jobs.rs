use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::{
    app::App,
    jobs::admin::{self, Decision, State},
};

/// List jobs; retry or drop those that failed for good.
#[derive(Args)]
pub(super) struct Jobs {
    #[command(subcommand)]
    verb: JobsVerb,
}

#[derive(Subcommand)]
enum JobsVerb {
    /// List jobs, the dead ones unless told otherwise
    List {
        /// `ready`, `later`, `running`, `dead` or `all`
        #[arg(long, default_value = "dead", value_parser = ["ready", "later", "running", "dead", "all"])]
        state: String,
    },
    /// Give a job all its tries again
    Retry {
        /// The job's number
        id: i64,
    },
    /// Delete a job; its effect will not happen
    Drop {
        /// The job's number
        id: i64,
    },
}

/// Jobs read at a time.
const PAGE: i64 = 500;

impl Jobs {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<ExitCode> {
        app.prepare().await?;
        match self.verb {
            JobsVerb::List { state } => {
                let state = State::ALL.into_iter().find(|known| known.as_str() == state);
                list(app, state).await?;
                Ok(ExitCode::SUCCESS)
            }
            JobsVerb::Retry { id } => Ok(tell(admin::retry(&app.pool, id).await?, id, "will be tried again")),
            JobsVerb::Drop { id } => Ok(tell(admin::drop(&app.pool, id).await?, id, "is dropped")),
        }
    }
}

async fn list(app: &App, state: Option<State>) -> anyhow::Result<()> {
    let mut after = 0;
    let mut count = 0;
    loop {
        let rows = admin::list(&app.pool, state, None, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        count += rows.len();
        for row in &rows {
            let error = row.last_error.as_deref().unwrap_or("-");
            super::print(&format!(
                "{:>8}  {:8} {:20} {}/{} tries  {}  {error}\n",
                row.id, row.state, row.kind, row.attempts, row.max_attempts, row.causation
            ))?;
        }
    }
    super::print(&format!("{count} {}\n", if count == 1 { "job" } else { "jobs" }))?;
    Ok(())
}

fn tell(decision: Decision, id: i64, done: &str) -> ExitCode {
    match decision {
        Decision::Done => {
            println!("Job {id} {done}.");
            return ExitCode::SUCCESS;
        }
        Decision::Missing => eprintln!("promostack: there is no job {id}"),
        Decision::Running => eprintln!("promostack: job {id} is being worked; try again when it is done"),
    }
    ExitCode::FAILURE
}
