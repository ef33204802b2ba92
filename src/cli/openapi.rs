use std::process::ExitCode;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    print!("{}", crate::http::document());
    Ok(ExitCode::SUCCESS)
}
