//! `portcullis audit`: what was done, and whether the log of it is whole.

use std::ops::ControlFlow;

use clap::Subcommand;
use portcullis_api::audit_events::AuditEvent;
use portcullis_core::audit_head::SignedHead;
use portcullis_server::audit;

use crate::client::{Ask, Client, PageArgs, query, show_page};
use crate::failure::{BROKEN, FAILED, Failure};
use crate::output::{self, or_dash};
use crate::running::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List events, newest first
    List {
        #[command(flatten)]
        ask: Ask,
        /// Only those of this actor, e.g. opk_…
        #[arg(long, value_name = "ID")]
        actor: Option<String>,
        /// Only those done to this, e.g. key_…
        #[arg(long, value_name = "ID")]
        target: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Walk the whole log and find the first event that was changed, taken out or moved
    #[command(
        after_help = "It reads the store itself, also while a server runs on it. Exits with 11 if the log is broken."
    )]
    Verify {
        #[command(flatten)]
        place: Place,
        /// A signed head that was kept somewhere else, as the server's log has it: the log must go at least that far
        #[arg(long, value_name = "HEAD")]
        head: Option<SignedHead>,
        /// The public key that the head must be signed with, in hexadecimal: its fourth part, when you first kept one
        #[arg(long, value_name = "KEY", requires = "head")]
        public_key: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write the whole log as JSON lines, oldest first, as far as it is whole
    Export {
        #[command(flatten)]
        place: Place,
    },
}

pub(crate) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List { ask, actor, target, page } => list(&ask, actor, target, page).await,
        Command::Verify { place, head, public_key, json } => {
            let mut seen = head.is_none();
            let config = place.configure_named()?;
            let whole = audit::walk(&config, |event, hash| {
                seen |= head.is_some_and(|head| head.number == event.number && head.hash == *hash);
                ControlFlow::Continue(())
            });
            let whole = walked(whole.await)?;
            if let Some(head) = head {
                check_head(&head, public_key.as_deref(), seen, whole)?;
            }
            if json {
                return output::json_line(&serde_json::json!({"events": whole}));
            }
            output::text(&format!("The log is whole: {whole} events, each fits the one before it.\n"))
        }
        Command::Export { place } => {
            let config = place.configure_named()?;
            let mut printed = Ok(());
            let walk = audit::walk(&config, |event, _| {
                printed = output::json_line(event);
                if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            walked(walk.await)?;
            printed
        }
    }
}

/// The log must have the event that the head is of.
fn check_head(head: &SignedHead, public_key: Option<&str>, seen: bool, whole: i64) -> Result<(), Failure> {
    let own = head.to_string();
    let signed_by = own.split('.').nth(3).unwrap_or_default();
    if !head.is_genuine() || public_key.is_some_and(|key| !key.eq_ignore_ascii_case(signed_by)) {
        return Err(Failure::new(
            BROKEN,
            "the head is not signed by that key: it was changed, or is of another server",
        ));
    }
    if seen {
        return Ok(());
    }
    let cut =
        format!("the log ends at event {whole}, or is another one: it does not have the head's event {}", head.number);
    Err(Failure::new(BROKEN, cut))
}

fn walked(walk: Result<Result<i64, audit::Broken>, portcullis_server::StartError>) -> Result<i64, Failure> {
    walk.map_err(|error| Failure::new(FAILED, error.to_string()))?.map_err(|broken| {
        let audit::Broken { number, id, why } = broken;
        Failure::new(BROKEN, format!("the log is broken at event {number} ({id}): {why}"))
    })
}

async fn list(ask: &Ask, actor: Option<String>, target: Option<String>, page: PageArgs) -> Result<(), Failure> {
    let query = query(&[
        ("actor_id", actor),
        ("target_id", target),
        ("limit", page.limit.map(|limit| limit.to_string())),
        ("cursor", page.cursor),
    ]);
    let page = Client::new(ask)?.page::<AuditEvent>(&format!("/audit-events{query}")).await?;
    let row = |event: &AuditEvent| {
        let actor = event.actor_id.as_ref().unwrap_or(&event.actor_kind);
        vec![
            event.number.to_string(),
            event.at.to_string(),
            event.action.clone(),
            actor.clone(),
            event.target_id.clone(),
            or_dash(event.address.as_ref()),
        ]
    };
    show_page(ask, &page, &["no", "at", "action", "actor", "target", "from"], row, "There are no such events.")
}
