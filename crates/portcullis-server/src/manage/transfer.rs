//! A whole store on its way: from one database to another, into a file, and out of one.

mod file;

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use data_encoding::HEXLOWER;
use futures_util::TryStreamExt;
use portcullis_core::audit::{Actor, AuditAction, AuditEvent, Origin};
use portcullis_core::dice::Dice;
use portcullis_core::id::AuditEventId;
use portcullis_core::time::Timestamp;
use serde_json::json;

use super::audit::{self, Broken};
use crate::clock::{Clock, SystemDice};
use crate::config::Config;
use crate::store::tables::{Cell, TABLES, Table};
use crate::store::{Edit, OpenError, Store, StoreError};

/// How many rows one transaction writes.
const BATCH: usize = 1_000;

/// How far it is: in which table, how many rows of how many.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub table: &'static str,
    pub done: u64,
    pub of: u64,
}

/// What was moved.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    /// Rows of each table, in the order in which they were moved.
    pub rows: Vec<(&'static str, u64)>,
    /// How many events the audit log has, each fitting the one before it.
    pub events: i64,
}

/// What a restore found of what had ended since the backup.
#[derive(Debug, Clone)]
pub struct Restored {
    pub moved: Moved,
    pub made_at: Timestamp,
    /// How many of those that were named were ended again, and which are not in the backup.
    pub ended: usize,
    pub unknown: Vec<String>,
}

/// Why a store was not moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("{path} is no whole backup: {why}; nothing was written")]
    Damaged { path: String, why: String },
    #[error("the database to write to is in use already: name an empty one")]
    NotEmpty,
    #[error(
        "what was begun in this database was of another store, or of an earlier state of this one: begin again with an empty database"
    )]
    Another,
    #[error("the database to read from is in use: stop every server on it first, so that nothing is left behind")]
    InUse,
    #[error(
        "{table} has {found} rows in the new database and {wanted} in the old one: begin again with an empty database"
    )]
    Differs { table: &'static str, wanted: u64, found: u64 },
    #[error("the audit log is broken at event {}: {}; nothing can be proven by a copy of it", .0.number, .0.why)]
    Broken(Broken),
}

/// Copies a store that no server runs on into an empty database. What was begun and not finished goes on where it was.
pub async fn copy(
    from: &Config,
    to: &Config,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Moved, TransferError> {
    let source = Store::open_idle(from).await?;
    if !source.nodes().await?.0.is_empty() {
        return Err(TransferError::InUse);
    }
    // A server that has run in between would have changed what was copied before.
    let starts = source.fact("starts").await?.unwrap_or_default();
    let head = source.audit_head().await?.map(|(_, hash)| HEXLOWER.encode(&hash)).unwrap_or_default();
    let target = begin(to, &format!("copy {starts} {head}")).await?;
    let mut view = source.view_all().await?;
    let mut moved = Moved::default();
    for table in TABLES {
        let of = whole(view.count(table).await?);
        progress(Progress { table: table.name, done: 0, of });
        if whole(target.view_all().await?.count(table).await?) < of || table.name == "facts" {
            let (mut rows, mut batch, mut done) = (view.rows(table), Vec::with_capacity(BATCH), 0);
            while let Some(row) = rows.try_next().await? {
                batch.push(row);
                if batch.len() == BATCH {
                    done += put(&target, table, &mut batch).await?;
                    progress(Progress { table: table.name, done, of });
                }
            }
            put(&target, table, &mut batch).await?;
        }
        progress(Progress { table: table.name, done: of, of });
        moved.rows.push((table.name, of));
    }
    moved.events = check(&target, &moved.rows).await?;
    let mut edit = target.edit().await?;
    edit.finish_copy(view.seq, &incarnation()).await?;
    edit.commit().await?;
    target.close().await;
    Ok(moved)
}

/// Writes one state of a store into a file, also while servers run on it. The tokens are not in it, nor is the pepper.
pub async fn backup(
    config: &Config,
    path: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Moved, TransferError> {
    let source = Store::open_to_read(config).await?.finished().await?;
    let mut view = source.view_all().await?;
    let failed = |cause| TransferError::File { path: path.display().to_string(), cause };
    let mut writer = file::Writer::create(path, view.seq, Clock::System.now()).map_err(failed)?;
    let mut moved = Moved::default();
    for table in TABLES.iter().filter(|table| table.is_kept) {
        let (of, mut done) = (whole(view.count(table).await?), 0);
        writer.table(table).map_err(failed)?;
        let mut rows = view.rows(table);
        while let Some(row) = rows.try_next().await? {
            writer.row(&row).map_err(failed)?;
            done += 1;
            if done % 1_000 == 0 {
                progress(Progress { table: table.name, done, of });
            }
        }
        progress(Progress { table: table.name, done, of });
        moved.rows.push((table.name, done));
    }
    writer.finish().map_err(failed)?;
    Ok(moved)
}

/// Puts a backup into an empty database, and ends again what is named: whatever had ended after the backup was made.
pub async fn restore(
    path: &Path,
    config: &Config,
    ended: &[String],
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Restored, TransferError> {
    // First from end to end without writing: half a backup is worse than none.
    let header = file::check(path)?;
    let target = begin(config, &format!("restore {}", header.sha256)).await?;
    let mut moved = Moved::default();
    let mut reader = file::Reader::open(path)?;
    for table in TABLES.iter().filter(|table| table.is_kept) {
        let of = header.rows.get(table.name).copied().unwrap_or(0);
        let mut done = 0;
        loop {
            let mut batch = reader.batch(table, BATCH)?;
            if batch.is_empty() {
                break;
            }
            done += put(&target, table, &mut batch).await?;
            progress(Progress { table: table.name, done, of });
        }
        moved.rows.push((table.name, of));
    }
    moved.events = check(&target, &moved.rows).await?;
    let mut restored = Restored { moved, made_at: header.made_at, ended: 0, unknown: Vec::new() };
    let now = Clock::System.now();
    let mut edit = target.edit().await?;
    let about = json!({"made_at": header.made_at, "seq": header.seq});
    tell(&mut edit, now, AuditAction::StoreRestored, "store", about).await?;
    for id in ended {
        match edit.end_again(id, now.as_millis(), AFTER_BACKUP).await? {
            None => restored.unknown.push(id.clone()),
            Some(false) => {}
            Some(true) => {
                let action = match id.split_once('_') {
                    Some(("usr", _)) => AuditAction::UserDisabled,
                    Some(("biz", _)) => AuditAction::BusinessDisabled,
                    Some(("opk", _)) => AuditAction::OperatorKeyRevoked,
                    _ => AuditAction::ApiKeyRevoked,
                };
                tell(&mut edit, now, action, id, json!({"reason": AFTER_BACKUP})).await?;
                restored.ended += 1;
            }
        }
    }
    // The log of changes begins anew: whoever follows it has another incarnation in mind and reads everything.
    edit.finish_copy(header.seq + 1, &incarnation()).await?;
    edit.commit().await?;
    target.close().await;
    Ok(restored)
}

const AFTER_BACKUP: &str = "Ended after the backup was made that this store was restored from.";

/// The ids in a list of what had ended: one on each line, or the lines of `portcullis audit export`, of which those are taken that
/// tell of an end.
pub fn ended_in(list: impl BufRead) -> std::io::Result<Vec<String>> {
    let (mut ended, now): (Vec<String>, _) = (Vec::new(), Clock::System.now());
    for line in list.lines() {
        let line = line?;
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(event) => {
                let (action, target) = (event.get("action"), event.get("target_id"));
                let (Some(action), Some(target)) =
                    (action.and_then(|it| it.as_str()), target.and_then(|it| it.as_str()))
                else {
                    continue;
                };
                match action {
                    "api_key.revoked" | "operator_key.revoked" | "user.disabled" | "business.disabled" => {
                        ended.push(target.to_owned());
                    }
                    "api_key.rotated" if is_over(event.get("after"), now) => ended.push(target.to_owned()),
                    "user.enabled" | "business.enabled" => ended.retain(|id| id != target),
                    _ => {}
                }
            }
            Err(_) => ended.push(text.to_owned()),
        }
    }
    Ok(ended)
}

/// Whether the overlap of a key that was rotated is over: then its old token must not live again. Where nobody can tell, it is.
fn is_over(after: Option<&serde_json::Value>, now: Timestamp) -> bool {
    let text = after.and_then(serde_json::Value::as_str);
    let parsed = text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let expires_at = parsed.as_ref().or(after).and_then(|after| after.get("expires_at")).cloned();
    let end: Option<Timestamp> = expires_at.and_then(|end| serde_json::from_value(end).ok());
    end.is_none_or(|end| end <= now)
}

/// The database to write to: empty, or what another try has left.
async fn begin(config: &Config, of: &str) -> Result<Store, TransferError> {
    let target = Store::open_for_copy(config).await?;
    if !target.is_unused().await? || !target.nodes().await?.0.is_empty() {
        return Err(TransferError::NotEmpty);
    }
    match target.unfinished().await? {
        Some(known) if known != of => return Err(TransferError::Another),
        Some(_) => {}
        None => {
            let mut edit = target.write().await?;
            edit.begin_copy(of).await?;
            edit.commit().await?;
        }
    }
    Ok(target)
}

async fn put(target: &Store, table: &Table, batch: &mut Vec<Vec<Cell>>) -> Result<u64, TransferError> {
    let mut edit = target.write().await?;
    edit.put_rows(table, batch).await?;
    edit.commit().await?;
    let done = u64::try_from(batch.len()).unwrap_or(0);
    batch.clear();
    Ok(done)
}

/// Looks whether all is there, and whether the audit log still hangs together.
async fn check(target: &Store, rows: &[(&'static str, u64)]) -> Result<i64, TransferError> {
    let wanted: HashMap<&str, u64> = rows.iter().copied().collect();
    let mut view = target.view_all().await?;
    for table in TABLES.iter().filter(|table| table.name != "facts") {
        let Some(&wanted) = wanted.get(table.name) else { continue };
        let found = whole(view.count(table).await?);
        if found != wanted {
            return Err(TransferError::Differs { table: table.name, wanted, found });
        }
    }
    drop(view);
    let events = audit::walk_store(target, |_, _| std::ops::ControlFlow::Continue(())).await?;
    let events = events.map_err(TransferError::Broken)?;
    match wanted.get("audit_events") {
        Some(&wanted) if whole(events) != wanted => {
            Err(TransferError::Differs { table: "audit_events", wanted, found: whole(events) })
        }
        _ => Ok(events),
    }
}

async fn tell(
    edit: &mut Edit,
    now: Timestamp,
    action: AuditAction,
    target: &str,
    after: serde_json::Value,
) -> Result<(), StoreError> {
    let event =
        AuditEvent { action, target: target.to_owned(), user: None, business: None, before: None, after: Some(after) };
    edit.insert_audit_event(AuditEventId::new(now, &SystemDice), now, &Actor::Setup, &Origin::default(), &event).await
}

/// What tells this life of the store from every other.
fn incarnation() -> String {
    let mut bytes = [0; 16];
    SystemDice.fill(&mut bytes);
    HEXLOWER.encode(&bytes)
}

fn whole(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
