//! `Idempotency-Key`: a call that is sent twice does its work once
//! (draft-ietf-httpapi-idempotency-key-header-07, for the meaning of the header).

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_core::scope::Caller;
use serde::Serialize;

use super::Editing;
use crate::error::Error;
use crate::store::idempotent_calls::IdempotentCall;

/// For how long a call is answered with what the first one did.
pub(crate) const REMEMBERED_DAYS: i64 = 1;

/// One call, as it can be told from any other: whose it is, under which key, and what it asks for.
#[derive(Debug)]
pub(crate) struct Call {
    credential: String,
    key: String,
    fingerprint: Vec<u8>,
}

/// The calls that are being worked on.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashSet<(String, String)>>);

/// The right to work on a call; it ends with the work, however that ends.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    in_flight: &'a InFlight,
    call: (String, String),
}

impl Call {
    /// A call of `caller` under `key`; `what` names the operation and its place, `body` is what was sent.
    pub(crate) fn new(caller: &Caller, key: Option<&str>, what: &str, body: &impl Serialize) -> Option<Self> {
        let key = key?.to_owned();
        let credential = match caller {
            Caller::Operator { id, .. } => id.to_string(),
            Caller::ApiKey { id, .. } => id.to_string(),
            Caller::User { id, .. } | Caller::Arrival { user: id, .. } => id.to_string(),
        };
        let mut text = what.as_bytes().to_vec();
        text.push(b'\n');
        text.extend(serde_json::to_vec(body).unwrap_or_default());
        let fingerprint = digest(&SHA256, &text).as_ref().to_vec();
        Some(Self { credential, key, fingerprint })
    }

    /// What the first call of this kind made, if there was one; another call under the same key is refused.
    pub(crate) async fn done<T: FromStr>(&self, editing: &mut Editing<'_>) -> Result<Option<T>, Error> {
        let since = editing.now.plus_days(-REMEMBERED_DAYS);
        match editing.rows.idempotent_call(&self.credential, &self.key, since).await? {
            None => Ok(None),
            Some(call) if call.fingerprint == self.fingerprint => {
                let unreadable = || Error::Internal(format!("an earlier call made `{}`", call.made));
                call.made.parse().map(Some).map_err(|_| unreadable())
            }
            Some(_) => Err(Error::field("", "is not what was sent before under this Idempotency-Key: take a new one")),
        }
    }

    /// Refuses a call that was made before, where what it made is shown once and so cannot be answered again.
    pub(crate) async fn check_new(&self, editing: &mut Editing<'_>) -> Result<(), Error> {
        match self.done::<String>(editing).await? {
            None => Ok(()),
            Some(_) => Err(Error::Conflict(
                "This was sent before: it was done then, and what it made was shown then, once.".to_owned(),
            )),
        }
    }

    pub(crate) async fn remember(&self, editing: &mut Editing<'_>, made: &impl ToString) -> Result<(), Error> {
        let call = IdempotentCall { fingerprint: self.fingerprint.clone(), made: made.to_string() };
        Ok(editing.rows.put_idempotent_call(&self.credential, &self.key, &call, editing.now).await?)
    }
}

impl InFlight {
    /// Takes the turn of a call; another with the same key that comes meanwhile is told to wait.
    pub(crate) fn begin(&self, call: Option<&Call>) -> Result<Option<Turn<'_>>, Error> {
        let Some(call) = call else { return Ok(None) };
        let call = (call.credential.clone(), call.key.clone());
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(call.clone()) {
            return Ok(Some(Turn { in_flight: self, call }));
        }
        Err(Error::Conflict("A call with this Idempotency-Key is being worked on: ask again.".to_owned()))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.call);
    }
}
