//! The `promostack` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    promostack::cli::main()
}
