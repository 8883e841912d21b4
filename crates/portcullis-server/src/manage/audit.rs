//! The audit log: read by filters, and walked from end to end.

use std::ops::ControlFlow;

use portcullis_api::audit_events::ListAuditEvents;
use portcullis_api::time::Time;
use portcullis_core::audit::{CHAIN_START, ChainedEvent};
use portcullis_core::audit_head::SignedHead;
use portcullis_core::scope::{Account, Platform, Tenant};

use super::paging::Listing;
use crate::app::{App, StartError};
use crate::config::Config;
use crate::error::Error;
use crate::store::audit::AuditFilter;
use crate::store::{Store, StoreError};

/// How many events are read at a time on a walk.
const STEP: i64 = 1_000;

/// The first event that does not fit the chain, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub number: i64,
    pub id: String,
    pub why: &'static str,
}

/// Which events somebody may see.
pub(crate) enum Log {
    Whole(Platform),
    OfBusiness(Tenant),
    /// What concerns one user: their account and their keys, whoever did it.
    About(Account),
}

/// A page of events, newest first.
pub(crate) async fn list(
    app: &App,
    log: &Log,
    query: &ListAuditEvents,
) -> Result<(Vec<ChainedEvent>, Option<String>), Error> {
    let of = match log {
        Log::Whole(_) => String::new(),
        Log::OfBusiness(tenant) => app.store.business(tenant).await?.id.to_string(),
        Log::About(account) => app.store.user(account).await?.id.to_string(),
    };
    let filter = AuditFilter {
        actor: query.actor_id.clone(),
        action: query.action.clone(),
        target: query.target_id.clone(),
        from: instant("from", query.from.as_deref())?,
        to: instant("to", query.to.as_deref())?,
    };
    let listing = Listing::new(app, &["audit_events", &format!("{of} {filter:?}")]);
    let slice = listing.slice(query.limit.as_deref(), query.cursor.as_deref())?;
    // The cursor is signed, so what is in it is a number that this function put there.
    let before = slice.after.as_deref().and_then(|number| number.parse().ok()).unwrap_or(i64::MAX);
    let events = match log {
        Log::Whole(proof) => app.store.audit_events(proof, &filter, before, slice.limit).await?,
        Log::OfBusiness(tenant) => app.store.audit_events_of(tenant, &filter, before, slice.limit).await?,
        Log::About(account) => app.store.audit_events_about(account, &filter, before, slice.limit).await?,
    };
    Ok(listing.page(events, &slice, |event| event.number.to_string()))
}

/// Walks the chain of the store that the settings name, also while servers run on it, and gives every event that fits, with
/// its hash, to `each`, until that says stop. Returns how many fit, or the first that does not.
pub async fn walk(
    config: &Config,
    each: impl FnMut(&ChainedEvent, &[u8; 32]) -> ControlFlow<()>,
) -> Result<Result<i64, Broken>, StartError> {
    let store = Store::open_to_read(config).await?;
    Ok(walk_store(&store, each).await?)
}

/// Like [`walk`], of a store that is open.
pub(crate) async fn walk_store(
    store: &Store,
    mut each: impl FnMut(&ChainedEvent, &[u8; 32]) -> ControlFlow<()>,
) -> Result<Result<i64, Broken>, StoreError> {
    let (mut last, mut before) = (0, CHAIN_START);
    loop {
        let step = store.audit_chain(last, STEP).await?;
        if step.is_empty() {
            return Ok(Ok(last));
        }
        for (event, hash) in step {
            let broken = |why| Broken { number: event.number, id: event.id.clone(), why };
            if event.number != last + 1 {
                return Ok(Err(broken("the event before it is missing")));
            }
            if event.hash(&before).ok() != Some(hash) {
                return Ok(Err(broken("its hash does not fit what it says and what came before it")));
            }
            (last, before) = (event.number, hash);
            if each(&event, &hash).is_break() {
                return Ok(Ok(last));
            }
        }
    }
}

/// The last event now, signed; `None` where nothing has happened yet.
pub(crate) async fn signed_head(app: &App) -> Result<Option<SignedHead>, Error> {
    let Some((number, hash)) = app.store.audit_head().await? else { return Ok(None) };
    let seed = app.pepper.derive("audit head");
    let head = SignedHead::sign(&seed, number, hash, app.clock.now());
    head.map(Some).ok_or_else(|| Error::Internal("the audit log's head cannot be signed".to_owned()))
}

fn instant(name: &str, text: Option<&str>) -> Result<Option<i64>, Error> {
    let read = |text| Time::parse(text).map(|time| time.0.as_millis());
    text.map(read).transpose().map_err(|wrong| Error::Invalid(format!("`{name}`: {wrong}.")))
}
