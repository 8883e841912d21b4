//! Windows that several nodes share, in Redis; and each node's part of a limit, while Redis is away.
//!
//! A request that is within the limits of Redis is charged to this node's own windows too. So when Redis is lost, the node knows what
//! it has let in itself, and goes on with its part: the limit divided by the number of nodes. When Redis is back, both are asked for
//! as long as the longest window, because Redis knows nothing of the time between.

mod script;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use portcullis_core::time::Timestamp;
use portcullis_core::window::{Fit, Look};
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, IntoConnectionInfo, RedisError};
use tokio::sync::{Notify, watch};

use crate::app::App;
use crate::config;
use crate::verify::limiter::{Charge, Windows};
use script::{Asked, Script};

/// How often a Redis that is away is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// How long connecting may take; an answer has the configured time.
const CONNECT: Duration = Duration::from_secs(2);

/// What Redis says of all windows that a request falls under.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// For each subject, for each of its windows, in their order.
    pub(crate) looks: Vec<Vec<Look>>,
    /// When Redis came back. Until a window has passed since, this node's own part is to be asked too.
    pub(crate) back_at: Timestamp,
}

/// The Redis of the settings, as long as it answers.
#[derive(Debug)]
pub(crate) struct Shared {
    client: redis::Client,
    timeout: Duration,
    script: Script,
    connection: RwLock<Option<MultiplexedConnection>>,
    /// When it was found again after it had been away, in milliseconds since 1970.
    back_at: AtomicI64,
    lost: Notify,
    /// How often it was lost.
    losses: AtomicU64,
}

/// Why Redis cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NoRedis {
    #[error("`redis_url`: {0}")]
    Url(RedisError),
    #[error("cannot read the file of Redis' password, {path}: {cause}")]
    Password { path: String, cause: std::io::Error },
}

impl Shared {
    /// Takes the settings; whether anybody answers is found out later.
    pub(crate) fn new(settings: &config::Redis) -> Result<Self, NoRedis> {
        let mut info = settings.url.expose().into_connection_info().map_err(NoRedis::Url)?;
        if let Some(path) = &settings.password_file {
            let password = config::password_in(path)
                .map_err(|cause| NoRedis::Password { path: path.display().to_string(), cause })?;
            let redis = info.redis_settings().clone().set_password(password.as_str());
            info = info.set_redis_settings(redis);
        }
        Ok(Self {
            client: redis::Client::open(info).map_err(NoRedis::Url)?,
            timeout: Duration::from_millis(settings.timeout_ms),
            script: Script::new(script::OWN_CLOCK),
            connection: RwLock::default(),
            back_at: AtomicI64::new(0),
            lost: Notify::new(),
            losses: AtomicU64::new(0),
        })
    }

    pub(crate) fn is_up(&self) -> bool {
        self.connection.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Asks about all windows, and charges them if all have room. `None` where Redis does not answer in time: this node's own part
    /// is what counts then.
    pub(crate) async fn ask(&self, all: &[Windows], charge: Charge) -> Option<Seen> {
        let connection = self.connection.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let back_at = Timestamp::from_millis(self.back_at.load(Ordering::Relaxed));
        let asked = tokio::time::timeout(self.timeout, self.ask_all(connection, all, charge)).await;
        match asked {
            Ok(Ok(looks)) => Some(Seen { looks, back_at }),
            Ok(Err(error)) => {
                self.lose(&explained(&error));
                None
            }
            Err(_) => {
                self.lose("it did not answer in time (`redis_timeout_ms`)");
                None
            }
        }
    }

    /// One subject is asked and charged at once. Several may live on several servers: they are all asked, then all charged, and where
    /// somebody was quicker in between, given back.
    async fn ask_all(
        &self,
        mut connection: MultiplexedConnection,
        all: &[Windows],
        charge: Charge,
    ) -> Result<Vec<Vec<Look>>, RedisError> {
        let cost = charge.asked();
        if let ([one], true) = (all, charge.charged() > 0) {
            return Ok(vec![self.script.ask(&mut connection, one, "charge", cost).await?.looks]);
        }
        let mut asked = Vec::with_capacity(all.len());
        for windows in all {
            asked.push(self.script.ask(&mut connection, windows, "look", cost).await?);
        }
        if charge.charged() > 0 && asked.iter().all(Asked::fits) {
            let mut charged: Vec<Asked> = Vec::with_capacity(all.len());
            for windows in all {
                charged.push(self.script.ask(&mut connection, windows, "charge", cost).await?);
                if !charged.last().is_some_and(Asked::fits) {
                    let before = charged.len() - 1;
                    for (windows, asked) in all.iter().zip(charged.iter().take(before)) {
                        self.script.refund(&mut connection, windows, asked, cost).await?;
                    }
                    break;
                }
            }
            for (asked, charged) in asked.iter_mut().zip(charged) {
                *asked = charged;
            }
        }
        Ok(asked.into_iter().map(|asked| asked.looks).collect())
    }

    fn lose(&self, why: &str) {
        let lost = self.connection.write().unwrap_or_else(PoisonError::into_inner).take();
        if lost.is_some() {
            self.losses.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(why, "Redis is lost: this node enforces its part of each shared limit until it is back");
            self.lost.notify_one();
        }
    }

    /// Connects, and sees that the script runs within the time that a decision has.
    async fn find(&self) -> Result<MultiplexedConnection, String> {
        let connecting = self.client.get_multiplexed_async_connection();
        let connected = tokio::time::timeout(CONNECT, connecting).await;
        let mut connection =
            connected.map_err(|_| "it does not answer".to_owned())?.map_err(|error| explained(&error))?;
        self.script.load(&mut connection).await.map_err(|error| explained(&error))?;
        let ping = redis::cmd("PING");
        let answered = tokio::time::timeout(self.timeout, ping.query_async::<String>(&mut connection)).await;
        answered
            .map_err(|_| "it answers more slowly than a decision waits (`redis_timeout_ms`)".to_owned())?
            .map_err(|error| explained(&error))?;
        Ok(connection)
    }
}

/// What whoever runs this must mend.
fn explained(error: &RedisError) -> String {
    match (error.kind(), error.code()) {
        (_, Some("NOAUTH")) => "it asks for a password: name a file with `redis_password_file`".to_owned(),
        (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => {
            format!("it does not take the password: {error}")
        }
        (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) => {
            format!("what answers there is not Redis: {error}")
        }
        _ => error.to_string(),
    }
}

/// Finds Redis at the start, and again whenever it was lost.
pub(crate) async fn keep(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    let Some(shared) = &app.shared else { return };
    let mut told = String::new();
    loop {
        if shared.is_up() {
            tokio::select! {
                () = shared.lost.notified() => {}
                _ = ended.wait_for(|&ended| ended) => return,
            }
            continue;
        }
        match shared.find().await {
            Ok(connection) => {
                let now = app.clock.now().as_millis();
                shared.back_at.store(
                    if told.is_empty() && shared.losses.load(Ordering::Relaxed) == 0 { 0 } else { now },
                    Ordering::Relaxed,
                );
                *shared.connection.write().unwrap_or_else(PoisonError::into_inner) = Some(connection);
                tracing::info!("limits are shared through Redis");
                told.clear();
            }
            Err(why) => {
                if told != why {
                    tracing::error!(why, "cannot use Redis; this node enforces its part of each shared limit");
                    told = why;
                }
                if tokio::time::timeout(LOOK, ended.wait_for(|&ended| ended)).await.is_ok() {
                    return;
                }
            }
        }
    }
}

/// A look as the algebra would have it.
fn look(taken: i64, leaves: i64, room: i64) -> Look {
    let whole = |number: i64| u64::try_from(number).unwrap_or(0);
    let fit = match room {
        0 => Fit::Now,
        ..0 => Fit::Never,
        millis => Fit::After(whole(millis)),
    };
    Look { taken: u32::try_from(taken).unwrap_or(0), next_millis: (leaves >= 0).then(|| whole(leaves)), fit }
}
