//! What a request may use: one value, made once, passed to everything, with no state beside it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portcullis_core::limits::Subject;
use portcullis_core::permission::Catalogue;
use portcullis_core::time::Timestamp;
use portcullis_core::token::{Pepper, TokenPrefix};
use tokio::sync::watch;

use crate::clock::{Clock, RequestIds, SystemDice};
use crate::cluster::Node;
use crate::cluster::redis::{NoRedis, Shared};
use crate::config::{Config, QuotaMode};
use crate::manage::attempts::Attempts;
use crate::manage::idempotency::InFlight;
use crate::manage::passwords::Hashing;
use crate::manage::refusals::Refusals;
use crate::manage::setup::SetupCode;
use crate::metrics::Metrics;
use crate::secrets::{self, PepperError};
use crate::spool::{Arena, Block, OpenSpoolError, Use, dedication};
use crate::store::{OpenError, Store, StoreError};
use crate::verify::limiter::{self, Limiter};
use crate::verify::quotas::{self, Quotas};
use crate::verify::uses::{self, Uses};

/// A running Portcullis, short of its sockets.
#[derive(Debug)]
pub struct App {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) dice: SystemDice,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) pepper: Pepper,
    /// Signs cursors, so that a list can only be continued where it left off.
    pub(crate) cursor_key: [u8; 32],
    pub(crate) operator_prefix: TokenPrefix,
    pub(crate) request_ids: RequestIds,
    pub(crate) store: Store,
    pub(crate) node: Node,
    /// What outlives the process: windows, parts of quotas, counts.
    pub(crate) arena: Arc<Arena>,
    pub(crate) limiter: Limiter,
    /// Windows that several nodes share; `None` where each node has its own.
    pub(crate) shared: Option<Shared>,
    pub(crate) quotas: Quotas,
    /// Held by whoever moves a part of a quota from the database or back.
    pub(crate) quota_turn: tokio::sync::Mutex<()>,
    pub(crate) uses: Uses,
    pub(crate) metrics: Metrics,
    /// A key without a recorded use is taken for one that was used then.
    pub(crate) uses_recorded_since: Timestamp,
    pub(crate) in_flight: InFlight,
    pub(crate) refusals: Refusals,
    pub(crate) attempts: Attempts,
    pub(crate) hashing: Hashing,
    pub(crate) setup: SetupCode,
    /// How long an answer that waits for a database elsewhere may take.
    pub(crate) longest_answer: Option<Duration>,
    /// The address that was taken, where the configuration left the port open.
    address: OnceLock<SocketAddr>,
    stopping: AtomicBool,
    /// Told once, when all is over, so that the follower and the jobs end.
    ended: watch::Sender<bool>,
}

/// A server that is asked to stop waits so long at most for a database that does not answer.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Why the server could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error(transparent)]
    Pepper(#[from] PepperError),
    #[error(transparent)]
    Spool(#[from] OpenSpoolError),
    #[error(transparent)]
    Redis(#[from] NoRedis),
    #[error("cannot read the database: {0}")]
    Load(#[from] StoreError),
}

impl App {
    /// Opens the store, reads everything that decisions need into memory, and begins to follow the change log.
    pub async fn open(config: Config, clock: Clock) -> Result<Arc<Self>, StartError> {
        let dice = SystemDice;
        let store = Store::open(&config).await?;
        let pepper = pepper(&store, &config.pepper_file, &dice).await?;
        let uses_recorded_since = uses_recorded_since(&store, clock.now()).await?;
        let catalogue = Arc::new(config.catalogue.clone());
        let node = Node::read(&store, &catalogue, clock.now()).await?;
        let has_users = node.last_known().is_some_and(|keyring| keyring.has_users());
        let start = number_of_this_start(&store).await?;
        let (arena, recovered) = open_spool(&config, clock.now())?;
        let of = |wanted: Use| {
            let of = recovered.iter().filter(|(to, ..)| *to == wanted);
            of.map(|&(_, subject, block)| (subject, block)).collect::<Vec<_>>()
        };
        let app = Arc::new(Self {
            cursor_key: pepper.derive("cursor"),
            operator_prefix: TokenPrefix::operator(),
            request_ids: RequestIds::new(&dice),
            shared: config.redis.as_ref().map(Shared::new).transpose()?,
            limiter: Limiter::new(Arc::clone(&arena), &of(Use::Windows)),
            quotas: Quotas::new(Arc::clone(&arena), &of(Use::Quotas), config.quotas == QuotaMode::Exact),
            quota_turn: tokio::sync::Mutex::default(),
            uses: Uses::new(Arc::clone(&arena), &of(Use::Counts), start),
            metrics: Metrics::default(),
            arena,
            uses_recorded_since,
            in_flight: InFlight::default(),
            refusals: Refusals::default(),
            attempts: Attempts::default(),
            hashing: Hashing::new(),
            setup: if has_users { SetupCode::default() } else { SetupCode::make(&dice, clock.now()) },
            longest_answer: longest_answer(&config),
            address: OnceLock::new(),
            stopping: AtomicBool::new(false),
            ended: watch::Sender::new(false),
            config,
            clock,
            dice,
            catalogue,
            pepper,
            store,
            node,
        });
        crate::cluster::join(&app, &app.ended.subscribe()).await?;
        tokio::spawn(crate::cluster::redis::keep(Arc::clone(&app), app.ended.subscribe()));
        tokio::spawn(crate::jobs::canary::run(Arc::clone(&app), app.ended.subscribe()));
        tokio::spawn(crate::jobs::prune::run(Arc::clone(&app), app.ended.subscribe()));
        tokio::spawn(crate::jobs::write_uses::run(Arc::clone(&app), app.ended.subscribe()));
        tokio::spawn(crate::jobs::sign_head::run(Arc::clone(&app), app.ended.subscribe()));
        tokio::spawn(crate::jobs::revoke_again::run(Arc::clone(&app), app.ended.subscribe()));
        tokio::spawn(crate::jobs::revoke_unused::run(Arc::clone(&app), app.ended.subscribe()));
        Ok(app)
    }

    /// From now on `/readyz` says no, so that whoever spreads the load looks elsewhere.
    pub fn stop_being_ready(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed) && self.node.is_current()
    }

    /// Ends the background work and closes the database.
    pub async fn close(&self) {
        self.ended.send_replace(true);
        crate::cluster::left(self).await;
        let last_words = async {
            if let Err(error) = crate::jobs::write_uses::all(self).await {
                tracing::warn!(%error, "cannot write what was counted; the next start does");
            }
            if let Err(error) = crate::cluster::quotas::return_all(self).await {
                tracing::warn!(%error, "cannot give back what is left of quotas; the next start goes on with it");
            }
            self.store.close().await;
        };
        if tokio::time::timeout(LAST_WORDS, last_words).await.is_err() {
            tracing::warn!(
                "the database does not answer; what was counted stays in the spool, and the next start writes it"
            );
        }
    }

    /// Whether there is nobody yet who could sign in, so that the set-up page is what there is to see.
    pub(crate) fn awaits_setup(&self) -> bool {
        self.setup.text().is_some() && self.node.last_known().is_some_and(|keyring| !keyring.has_users())
    }

    /// The one-time code of the set-up page, while there is nobody who could sign in.
    pub fn setup_code(&self) -> Option<String> {
        self.setup.text().filter(|_| self.awaits_setup())
    }

    /// Notes the address that it answers at.
    pub(crate) fn listens_at(&self, address: SocketAddr) {
        // A second one would be of a second server on the same state, and changes no link that was made.
        let _ = self.address.set(address);
    }

    /// Where other nodes reach this one.
    pub(crate) fn node_url(&self) -> String {
        let listen = self.address.get().copied().unwrap_or(self.config.listen);
        self.config.cluster.node_url.clone().unwrap_or_else(|| format!("http://{listen}"))
    }

    /// Where people reach it: scheme, host and port.
    pub fn public_url(&self) -> String {
        let listen = self.address.get().copied().unwrap_or(self.config.listen);
        self.config.public_url.clone().unwrap_or_else(|| format!("http://{listen}"))
    }

    /// The settings it runs with.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

/// A wrong pepper would refuse every good key as unknown: so it is found out before the first request.
async fn pepper(store: &Store, path: &Path, dice: &SystemDice) -> Result<Pepper, StartError> {
    const FACT: &str = "pepper_check";
    let mut edit = store.edit().await?;
    let known = edit.fact(FACT).await?;
    let pepper = secrets::read_or_make(path, known.is_none(), dice)?;
    match known {
        Some(known) if known == secrets::check_value(&pepper) => {}
        Some(_) => return Err(PepperError::Wrong.into()),
        None => {
            edit.insert_fact(FACT, &secrets::check_value(&pepper)).await?;
            edit.commit().await?;
        }
    }
    Ok(pepper)
}

/// As long as its statements may take, and then the wait of an edit for all nodes.
fn longest_answer(config: &Config) -> Option<Duration> {
    const STATEMENTS: u64 = 4;
    let cluster = &config.cluster;
    let wait = 2 * cluster.lasts_ms();
    let longest = STATEMENTS * config.database.statement_timeout_ms + wait;
    config.database.url.is_some().then(|| Duration::from_millis(longest))
}

/// What was counted by this process is told from what others did by the number of its start.
async fn number_of_this_start(store: &Store) -> Result<u32, StartError> {
    const FACT: &str = "starts";
    let mut edit = store.edit().await?;
    let number = edit.fact(FACT).await?.and_then(|number| number.parse().ok()).unwrap_or(0_u32).wrapping_add(1);
    edit.put_fact(FACT, &number.to_string()).await?;
    edit.commit().await?;
    Ok(number)
}

/// The blocks of the spool that were in use, with what for and for whom.
type Recovered = Vec<(Use, Subject, Block)>;

/// Opens the spool, and forgets what is of no use any more: windows that are over, counts that the database has.
fn open_spool(config: &Config, now: Timestamp) -> Result<(Arc<Arena>, Recovered), StartError> {
    const SPOOL: &str = "spool";
    let mut recovered = Vec::new();
    let arena = Arena::open(&config.data.join(SPOOL), crate::clock::boot(), |block, words| {
        let of_use = dedication(words).filter(|(to, _)| match to {
            Use::Windows => limiter::is_of_use(words, now),
            Use::Quotas => quotas::is_of_use(words, now),
            Use::Counts => uses::is_of_use(words),
        });
        recovered.extend(of_use.map(|(to, subject)| (to, subject, block)));
        of_use.is_some()
    })?;
    Ok((Arc::new(arena), recovered))
}

/// Before this store recorded uses, a key without one may well have been used.
async fn uses_recorded_since(store: &Store, now: Timestamp) -> Result<Timestamp, StartError> {
    const FACT: &str = "uses_recorded_since";
    let mut edit = store.edit().await?;
    if let Some(since) = edit.fact(FACT).await?.and_then(|since| since.parse().ok()) {
        return Ok(Timestamp::from_millis(since));
    }
    edit.insert_fact(FACT, &now.as_millis().to_string()).await?;
    edit.commit().await?;
    Ok(now)
}
