//! The `portcullis` binary: the server, and commands that are one HTTP call each.

mod audit;
mod backup;
mod businesses;
mod client;
mod copy;
mod failure;
mod gate;
mod init;
mod keys;
mod limits;
mod migrate;
mod nodes;
mod output;
mod quickstart;
mod running;
mod serve;
mod users;
mod verify;
mod whoami;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::client::Ask;
use crate::failure::Failure;

/// Issues API keys, and decides on every request whether the key that came with it may pass.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    max_term_width = 110,
    after_help = "\
New here? `portcullis quickstart` starts a server with a working key in it.

The commands that ask a server take its address from --url or PORTCULLIS_URL, and an operator
token from PORTCULLIS_TOKEN or the file that PORTCULLIS_TOKEN_FILE names.

Exit codes:
  0  done                       4  not found
  1  failed                     5  refused: see the message
  2  wrong use                  6  no server answered, or it cannot answer now
  3  not allowed               10  verify: the request may not pass
                               11  audit verify: the log is broken"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Quickstart(quickstart::Args),
    Init(init::Args),
    Serve(serve::Args),
    /// Make, list, show, rotate and revoke API keys
    Keys {
        #[command(flatten)]
        ask: Ask,
        #[command(subcommand)]
        command: keys::Command,
    },
    Verify {
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        args: verify::Args,
    },
    /// Check the gates of a configuration file
    Gate {
        #[command(subcommand)]
        command: gate::Command,
    },
    /// Make, list, show, disable and enable users
    Users {
        #[command(flatten)]
        ask: Ask,
        #[command(subcommand)]
        command: users::Command,
    },
    /// Make, list, show, disable and enable businesses; their members and roles
    Businesses {
        #[command(flatten)]
        ask: Ask,
        #[command(subcommand)]
        command: businesses::Command,
    },
    /// Show and set limits and quotas of keys, users and businesses
    Limits {
        #[command(flatten)]
        ask: Ask,
        #[command(subcommand)]
        command: limits::Command,
    },
    /// Show what a key, a user's keys, or all keys in a business were used for
    Usage {
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        args: limits::UsageArgs,
    },
    /// List, verify and export the audit log
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
    /// List the nodes on the server's database, their leases, and how far each is behind
    Nodes {
        #[command(flatten)]
        ask: Ask,
    },
    /// Bring the schema of the database up to date
    Migrate(migrate::Args),
    /// Copy a store that no server runs on into an empty database, e.g. from SQLite to PostgreSQL
    Copy(copy::Args),
    /// Write the whole store into a file, also while servers run on it
    Backup(backup::Args),
    /// Put a backup into an empty database
    Restore(backup::RestoreArgs),
    /// Show what the token in PORTCULLIS_TOKEN is and may do
    Whoami {
        #[command(flatten)]
        ask: Ask,
    },
    /// Print the OpenAPI document of this version
    Openapi,
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> ExitCode {
    let done: Result<(), Failure> = match Cli::parse().command {
        Command::Quickstart(args) => quickstart::run(args).await,
        Command::Init(args) => init::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Keys { ask, command } => keys::run(&ask, command).await,
        Command::Verify { ask, args } => verify::run(&ask, args).await,
        Command::Gate { command } => gate::run(command),
        Command::Users { ask, command } => users::run(&ask, command).await,
        Command::Businesses { ask, command } => businesses::run(&ask, command).await,
        Command::Limits { ask, command } => limits::run(&ask, command).await,
        Command::Usage { ask, args } => limits::usage(&ask, args).await,
        Command::Audit { command } => audit::run(command).await,
        Command::Nodes { ask } => nodes::run(&ask).await,
        Command::Copy(args) => copy::run(args).await,
        Command::Backup(args) => backup::run(args).await,
        Command::Restore(args) => backup::restore(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Whoami { ask } => whoami::run(&ask).await,
        Command::Openapi => output::text(&portcullis_server::openapi()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure);
            ExitCode::from(failure.exit_code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_takes_a_token_as_an_argument() {
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(!matches!(name, "token" | "password" | "pepper"), "{} --{name}", command.get_name());
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
