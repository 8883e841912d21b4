//! What somebody known was refused, for the audit log: whoever tries doors leaves a trace.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use portcullis_core::audit::{Actor, AuditAction, AuditEvent, Origin};
use portcullis_core::id::{BusinessId, UserId};
use portcullis_core::time::Timestamp;
use serde_json::json;

use super::Editing;
use crate::app::App;
use crate::error::Error;

/// How many refusals of one actor are written in a minute. What is beyond is counted and told with the next that is written:
/// a client that runs wild must not fill the disk.
const WRITTEN_A_MINUTE: u32 = 60;
/// The most bytes of a path that are written.
const PATH: usize = 200;

/// The refusals of this minute, by actor.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    counts: HashMap<String, u32>,
    /// Refusals that were not written, until one tells of them.
    unwritten: HashMap<String, u32>,
}

/// A refused call.
#[derive(Debug)]
pub(crate) struct Refused<'a> {
    pub(crate) actor: Actor,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) error: &'a Error,
}

impl Refusals {
    /// Whether one more is written, and how many were not since the last.
    fn next(&self, actor: &str, now: Timestamp) -> Option<u32> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.as_millis().div_euclid(60_000);
        if minute.number != number {
            minute.number = number;
            minute.counts.clear();
        }
        let count = minute.counts.entry(actor.to_owned()).or_default();
        *count += 1;
        if *count <= WRITTEN_A_MINUTE {
            return Some(minute.unwritten.remove(actor).unwrap_or(0));
        }
        *minute.unwritten.entry(actor.to_owned()).or_default() += 1;
        None
    }
}

/// Writes the event of a refused call.
pub(crate) async fn note(app: &App, origin: Origin, refused: &Refused<'_>) -> Result<(), Error> {
    let actor = refused.actor.id().unwrap_or_default();
    let Some(unwritten_before) = app.refusals.next(&actor, app.clock.now()) else { return Ok(()) };
    let path: String = refused.path.chars().take(PATH).collect();
    let after = json!({
        "method": refused.method,
        "path": path,
        "code": refused.error.code(),
        "reason": refused.error.reason(),
        "detail": refused.error.to_string(),
        "unwritten_before": unwritten_before,
    });
    let event = AuditEvent {
        action: AuditAction::CallRefused,
        target: actor,
        user: user(&refused.actor),
        business: business(refused.path),
        before: None,
        after: Some(after),
    };
    let mut editing = Editing::begin_as(app, refused.actor, origin).await?;
    editing.tell(event, None);
    editing.commit().await
}

fn user(actor: &Actor) -> Option<UserId> {
    match *actor {
        Actor::User(id) | Actor::ApiKey { user: id, .. } => Some(id),
        _ => None,
    }
}

/// The business that a path is about, so that whoever looks after its audit log finds the event there.
fn business(path: &str) -> Option<BusinessId> {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    path.strip_prefix("/businesses/")?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_runs_wild_is_counted_and_not_written() {
        let (refusals, at) = (Refusals::default(), |minute: i64| Timestamp::from_millis(minute * 60_000));
        let written = |minute| (0..100).filter_map(|_| refusals.next("key_1", at(minute))).collect::<Vec<_>>();
        assert_eq!(written(1), [0; 60]);
        assert_eq!(refusals.next("key_2", at(1)), Some(0));
        let second = written(2);
        assert_eq!((second.len(), second[0], second[1]), (60, 40, 0));
    }
}
