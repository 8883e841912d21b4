//! The data plane: from a request to a decision, with nothing but memory on the way.

pub(crate) mod credentials;
mod explain;
pub(crate) mod gates;
pub(crate) mod limiter;
mod meter;
pub(crate) mod quotas;
pub(crate) mod uses;

use std::future::{Ready, ready};

use futures_util::future::{BoxFuture, Either};
use portcullis_api::verify::{Businesses, Explained, RateLimit};
use portcullis_core::decision::{Ask, Decision, Presented, Reach, decide};
use portcullis_core::id::{ApiKeyId, OperatorKeyId, UserId};
use portcullis_core::keyring::Keyring;
use portcullis_core::limits::Subject;
use portcullis_core::operator::OperatorGrants;
use portcullis_core::time::Timestamp;
use portcullis_core::token::{Digest, WellFormed};

use crate::app::App;
use crate::cluster::primary::NoMemory;
use crate::cluster::{self, primary};
use crate::metrics::Surface;
use crate::store::StoreError;
use limiter::Charge;
use meter::Meter;
pub(crate) use meter::{Policy, Standing};
use uses::LastUse;

/// A decision waits so often at most for a part of a quota that others then take away from it.
const PATIENCE: usize = 64;

/// Why nobody is told yes or no.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoDecision {
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
    #[error("a part of a quota cannot be taken from the database: {0}")]
    NoQuota(#[from] StoreError),
    #[error("others were quicker to use every part of a quota that was taken from the database")]
    Crowded,
}

/// An answer that is there, or one that is waited for.
pub(crate) type Checked<'a, T> = Either<Ready<Result<T, NoDecision>>, BoxFuture<'a, Result<T, NoDecision>>>;

/// What is to be decided, who asks, and what it costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub(crate) ask: Ask,
    pub(crate) surface: Surface,
    pub(crate) charge: Charge,
    /// When the request came.
    pub(crate) at: Timestamp,
    /// Whether the asker wants it read from the database, and not from memory.
    pub(crate) from_primary: bool,
}

/// A decision, the state it was made on, and how the limits stand after it.
#[derive(Debug)]
pub(crate) struct Decided<'a> {
    pub(crate) decision: &'a Decision<'a>,
    pub(crate) ask: &'a Ask,
    now: Timestamp,
    meter: &'a Meter<'a>,
    app: &'a App,
}

impl<'a> Decided<'a> {
    /// How the tightest limit stands. `None` where the request came to none: the key is not live.
    pub(crate) fn standing(&self) -> Option<Standing<'a>> {
        self.meter.standing(self.decision.key?.keyring())
    }

    /// How the tightest limit stands, on the wire.
    pub(crate) fn rate_limit(&self) -> Option<RateLimit> {
        self.standing().map(|standing| RateLimit {
            name: standing.name.to_string(),
            limit: standing.limit.into(),
            remaining: standing.remaining.into(),
            reset_at: standing.reset_at.into(),
            retry_after: standing.retry_after_seconds,
        })
    }

    /// Gives all limits that the request came to.
    pub(crate) fn each_policy(&self, take: impl FnMut(Policy<'a>)) {
        if let Some(key) = self.decision.key {
            self.meter.each_policy(key.keyring(), take);
        }
    }

    /// How each of the nine rules went.
    pub(crate) fn explanation(&self) -> Vec<Explained> {
        explain::explain(self.decision, self.ask, &self.app.catalogue, self.standing().as_ref(), self.now)
    }
}

/// Decides, charges and counts, and then gives the decision to `answer`, which sees the state it was made on. Nearly always that is done
/// when this returns.
pub(crate) fn check<'a, T: Send + 'a>(
    app: &'a App,
    question: &'a Question,
    answer: impl FnOnce(&Decided<'_>) -> T + Send + 'a,
) -> Checked<'a, T> {
    let mut meter = Meter::new(app, question.charge, question.at);
    match tried(question, &mut meter, None, answer) {
        Ok(answered) => Either::Left(ready(Ok(answered))),
        Err(answer) => Either::Right(waited(app, question, meter, answer)),
    }
}

/// The same, where something must be waited for. Who waits for a database does so in a place of its own on the heap: it takes hundreds of
/// kilobytes, and most wait for less. It is a function of its own also in what the compiler makes of it, so that who waits for nothing
/// has no room for it.
#[inline(never)]
fn waited<'a, T: Send + 'a>(
    app: &'a App,
    question: &'a Question,
    mut meter: Meter<'a>,
    mut answer: impl FnOnce(&Decided<'_>) -> T + Send + 'a,
) -> BoxFuture<'a, Result<T, NoDecision>> {
    Box::pin(async move {
        let mut read = None;
        for _ in 0..PATIENCE {
            if !Box::pin(meter.ask_shared()).await {
                if let Some(wanted) = meter.wanted.take() {
                    Box::pin(cluster::quotas::take(app, &wanted)).await?;
                } else {
                    let reading = primary::read(app, question.ask.token.digest(), question.from_primary);
                    read = Some(Box::pin(reading).await?);
                }
            }
            answer = match tried(question, &mut meter, read.as_ref(), answer) {
                Ok(answered) => return Ok(answered),
                Err(answer) => answer,
            };
        }
        Err(NoDecision::Crowded)
    })
}

/// Decides on what the memory has, or else on what was read. Gives `answer` back where something must be waited for.
fn tried<T, A: FnOnce(&Decided<'_>) -> T>(
    question: &Question,
    meter: &mut Meter<'_>,
    read: Option<&Keyring>,
    answer: A,
) -> Result<T, A> {
    let (app, now) = (meter.app, question.at);
    let memory = if question.from_primary { None } else { app.node.keyring() };
    let Some(keyring) = memory.as_deref().or(read) else { return Err(answer) };
    let decision = decide(keyring, &question.ask, now, meter);
    if meter.is_undecided() {
        return Err(answer);
    }
    count(app, question, &decision, now);
    Ok(answer(&Decided { decision: &decision, ask: &question.ask, now, meter, app }))
}

/// Counts a decision, for those whom it concerns. What only looks is no use of a key.
fn count(app: &App, question: &Question, decision: &Decision<'_>, now: Timestamp) {
    let code = decision.code();
    app.metrics.decided(question.surface, code);
    let (Some(key), Charge::Cost(_)) = (decision.key, question.charge) else { return };
    if !app.config.counting {
        return;
    }
    // A key is used when it comes as far as its limits: before that it is dead, or in the wrong place.
    let live = decision.denial.is_none_or(|denial| denial.rule() >= 6);
    let last_use = live.then_some(LastUse { at: now, address: question.ask.address });
    app.uses.count(Subject::ApiKey(key.id()), code, now, last_use);
    app.uses.count(Subject::User(key.user()), code, now, None);
    if let Some(business) = decision.concerned {
        app.uses.count(Subject::Business(business), code, now, None);
    }
}

/// Rule 1, and the digest that the key is looked up by. A text of another form is hashed only where keys were imported, and
/// then it is up to rule 2 whether there is such a key.
pub(crate) fn present(app: &App, text: &str) -> Presented {
    if let Ok(token) = WellFormed::parse(text, &app.config.token_prefix) {
        return Presented::WellFormed(app.pepper.digest(&token));
    }
    let imported = text.len() <= LONGEST_FOREIGN && app.node.keyring().is_none_or(|keyring| keyring.has_imported());
    if imported { Presented::WellFormed(app.pepper.digest_of_foreign(text)) } else { Presented::Malformed }
}

/// The longest token of a key that was issued elsewhere, in bytes.
const LONGEST_FOREIGN: usize = 256;

/// Where a request may act, on the wire.
pub(crate) fn businesses(reach: Reach) -> Businesses {
    if reach.everywhere { Businesses::ALL } else { Businesses::These(reach.businesses) }
}

/// The API key that this is the token of, whatever has become of it, and its owner.
pub(crate) async fn whose(app: &App, token: Presented) -> Result<Option<(UserId, ApiKeyId)>, NoDecision> {
    let Some(digest) = token.digest() else { return Ok(None) };
    look(app, digest, |keyring| keyring.find(digest).map(|key| (key.user(), key.id()))).await
}

/// Whether a text has the form of an operator key.
pub(crate) fn is_operator_token(app: &App, text: &str) -> bool {
    WellFormed::parse(text, &app.operator_prefix).is_ok()
}

/// The live operator key that this text is the token of.
pub(crate) async fn operator(app: &App, text: &str) -> Result<Option<(OperatorKeyId, OperatorGrants)>, NoDecision> {
    let Ok(token) = WellFormed::parse(text, &app.operator_prefix) else { return Ok(None) };
    let digest = app.pepper.digest(&token);
    look(app, &digest, |keyring| keyring.find_operator(&digest)).await
}

/// The same, where the memory can tell.
pub(crate) fn operator_in_memory(app: &App, text: &str) -> Option<(OperatorKeyId, OperatorGrants)> {
    let digest = app.pepper.digest(&WellFormed::parse(text, &app.operator_prefix).ok()?);
    app.node.keyring()?.find_operator(&digest)
}

/// Finds something in the memory, or, without a lease, in what the database has of this digest.
async fn look<T>(app: &App, digest: &Digest, find: impl Fn(&Keyring) -> T) -> Result<T, NoDecision> {
    if let Some(memory) = app.node.keyring() {
        return Ok(find(&memory));
    }
    Ok(find(&Box::pin(primary::read(app, Some(digest), false)).await?))
}
