//! The program: reads its arguments, and serves.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use portcullis_tower::{BusinessId, Portcullis};
use tokio::net::TcpListener;
use voice_crm::{Crm, Front, Store, serve};

/// Calls, leads and contacts of businesses, reached with API keys that Portcullis issues.
#[derive(Debug, Parser)]
#[command(after_help = "\
The operator token comes from PORTCULLIS_TOKEN, or from the file that PORTCULLIS_TOKEN_FILE names.
Its key has the grants `keys:verify` (not needed behind a gateway) and `businesses:read`.")]
struct Args {
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The file of the database; made where it is missing
    #[arg(long, value_name = "FILE", default_value = "voice-crm.db")]
    data: PathBuf,
    /// The address of Portcullis
    #[arg(long, value_name = "URL", env = "PORTCULLIS_URL", default_value = "http://127.0.0.1:7373")]
    portcullis: String,
    /// Take the identity headers of the gateway at this address, and ask nobody; may be repeated
    #[arg(long, value_name = "IP")]
    behind_gateway: Vec<IpAddr>,
    /// Put rows to look at into these businesses, where they have none
    #[arg(long, value_name = "BUSINESS_ID", num_args = 1..)]
    demo: Vec<BusinessId>,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn std::error::Error>> {
    let portcullis = Portcullis::at(&args.portcullis, &operator_token()?)?;
    let front = if args.behind_gateway.is_empty() { Front::Itself } else { Front::Gateway(args.behind_gateway) };
    let crm = Crm::new(Store::open(&args.data).await?, portcullis, front);
    crm.demonstrate(&args.demo).await?;
    let listener = TcpListener::bind(args.listen).await?;
    tracing::info!("voice-crm listens on http://{}", listener.local_addr()?);
    serve(crm, listener, async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await?;
    Ok(())
}

/// Not an argument, for those are in the list of running programs.
fn operator_token() -> Result<String, String> {
    if let Ok(token) = std::env::var("PORTCULLIS_TOKEN") {
        return Ok(token);
    }
    let file = std::env::var("PORTCULLIS_TOKEN_FILE")
        .map_err(|_| "set PORTCULLIS_TOKEN to an operator token (op_live_…), or PORTCULLIS_TOKEN_FILE to its file")?;
    std::fs::read_to_string(&file).map_err(|error| format!("cannot read {file}: {error}"))
}
