//! What is measured for Prometheus. Nothing here is labelled by a key, a user or a business.

mod durations;

use std::fmt::Write;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use portcullis_core::decision::Code;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::app::App;
use crate::cluster::Receipt;
use crate::cluster::redis::Shared;
use durations::Durations;

/// Where a request is decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Surface {
    /// `POST /verify` and `/verify/batch`.
    Verify,
    /// Portcullis's own API, guarded like any other.
    Own,
    /// `/auth/{gate}`, as gateways ask.
    ForwardAuth,
    /// Envoy's `ext_authz` by gRPC.
    Envoy,
    /// `/oauth2/introspect`.
    Introspection,
    /// `/access/v1/evaluation` and `/evaluations`.
    AuthZen,
    /// In front of an API that this server is the proxy of.
    Proxy,
}

impl Surface {
    const ALL: [Self; 7] =
        [Self::Verify, Self::Own, Self::ForwardAuth, Self::Envoy, Self::Introspection, Self::AuthZen, Self::Proxy];

    const fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Own => "own",
            Self::ForwardAuth => "forward_auth",
            Self::Envoy => "envoy",
            Self::Introspection => "introspection",
            Self::AuthZen => "authzen",
            Self::Proxy => "proxy",
        }
    }
}

/// A text that was there when the program was compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    code: Word,
    surface: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    part: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: Word,
}

/// Which part of the API a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Verify,
    WhoAmI,
    ForwardAuth,
    /// What standards ask: introspection, AuthZEN.
    Standards,
    /// Of another API, which this server is the proxy of: until the head of its answer.
    Proxy,
    Manage,
    Other,
}

impl Part {
    const ALL: [Self; 7] =
        [Self::Verify, Self::WhoAmI, Self::ForwardAuth, Self::Standards, Self::Proxy, Self::Manage, Self::Other];

    const fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::WhoAmI => "whoami",
            Self::ForwardAuth => "forward_auth",
            Self::Standards => "standards",
            Self::Proxy => "proxy",
            Self::Manage => "manage",
            Self::Other => "other",
        }
    }

    pub(crate) fn of(path: &str) -> Self {
        match path.strip_prefix("/api/v1/") {
            Some(path) if path.starts_with("verify") => Self::Verify,
            Some("whoami") => Self::WhoAmI,
            Some(_) => Self::Manage,
            None if path.starts_with("/auth/") => Self::ForwardAuth,
            None if path.starts_with("/oauth2/") || path.starts_with("/access/") => Self::Standards,
            None => Self::Other,
        }
    }
}

/// See the module's own words.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    decisions: [[Counter; Code::ALL.len()]; Surface::ALL.len()],
    requests: [Durations; Part::ALL.len()],
    pub(crate) uses_written: Counter,
    pub(crate) uses_not_written: Counter,
    /// Leases that this node has taken away from nodes that had stopped.
    pub(crate) reaped: Counter,
    /// Decisions that were read from the database for want of a lease.
    pub(crate) read_through: Counter,
    /// Times that a key passed after its revoke had returned. Whoever sees another number than 0 calls somebody.
    pub(crate) canary_late_accepts: Counter,
    pub(crate) canary_rounds: Counter,
    edit_waits: [Histogram; Waited::ALL.len()],
    state: State,
}

/// How the wait of an edit for all nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// Every node has told that it has the edit.
    Acknowledged,
    /// Some node's lease had to run out.
    LeaseExpired,
    /// The database could not be asked.
    Unknown,
}

impl Waited {
    const ALL: [Self; 3] = [Self::Acknowledged, Self::LeaseExpired, Self::Unknown];

    const fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::LeaseExpired => "lease_expired",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WaitLabels {
    outcome: Word,
}

/// What is looked up when somebody asks.
#[derive(Debug, Default)]
struct State {
    keys: Gauge,
    ready: Gauge,
    applied: Gauge,
    lag: Gauge,
    lease_remaining: Gauge<f64, AtomicU64>,
    nodes: Gauge,
    redis_up: Gauge,
    limits_in_use: Gauge,
    counted_in: Gauge,
    unwritten: Gauge,
    spool_bytes: Gauge,
    spool_volatile: Gauge,
}

/// From 400 microseconds to 13 seconds, each twice the one before.
const BUCKETS: (f64, f64, u16) = (0.000_4, 2.0, 16);

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("portcullis");
        let decisions = Family::<DecisionLabels, Counter>::default();
        let requests = Family::<RequestLabels, Durations>::default();
        let of = |surface: Surface, code: Code| {
            let labels = DecisionLabels { code: Word(code.name()), surface: Word(surface.name()) };
            decisions.get_or_create(&labels).clone()
        };
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: Word(env!("CARGO_PKG_VERSION")) }).set(1);
        let edit_waits = Family::<WaitLabels, Histogram>::new_with_constructor(|| {
            let (first, factor, count) = BUCKETS;
            Histogram::new(prometheus_client::metrics::histogram::exponential_buckets(first, factor, count))
        });
        let metrics = Self {
            reaped: Counter::default(),
            read_through: Counter::default(),
            canary_late_accepts: Counter::default(),
            canary_rounds: Counter::default(),
            edit_waits: Waited::ALL
                .map(|outcome| edit_waits.get_or_create(&WaitLabels { outcome: Word(outcome.name()) }).clone()),
            decisions: Surface::ALL.map(|surface| Code::ALL.map(|code| of(surface, code))),
            requests: Part::ALL.map(|part| requests.get_or_create(&RequestLabels { part: Word(part.name()) }).clone()),
            uses_written: Counter::default(),
            uses_not_written: Counter::default(),
            state: State::default(),
            registry: Registry::default(),
        };
        registry.register("decisions", "Decisions, by code and by where they were asked for", decisions);
        registry.register_with_unit(
            "request_duration",
            "From a request's head to its answer, by part of the API",
            Unit::Seconds,
            requests,
        );
        registry.register("build", "The version that runs", build);
        registry.register("uses_written", "Blocks of counts that went to the database", metrics.uses_written.clone());
        registry.register(
            "uses_write_failures",
            "Times that counts could not be written; they stay in the spool",
            metrics.uses_not_written.clone(),
        );
        registry.register_with_unit(
            "edit_wait",
            "How long edits waited until they were in force on every node, by how the wait ended",
            Unit::Seconds,
            edit_waits,
        );
        metrics.register_of_nodes(&mut registry);
        metrics.state.register(&mut registry);
        Self { registry, ..metrics }
    }
}

impl Metrics {
    fn register_of_nodes(&self, registry: &mut Registry) {
        let mut counter = |name: &str, help: &str, counter: &Counter| registry.register(name, help, counter.clone());
        counter("leases_reaped", "Leases of stopped nodes that this node took away", &self.reaped);
        counter("read_through", "Decisions that were read from the database for want of a lease", &self.read_through);
        counter(
            "canary_rounds",
            "Times that a key was made, used, revoked and tried on all nodes",
            &self.canary_rounds,
        );
        counter(
            "canary_late_accepts",
            "Times that a revoked key still passed somewhere; it must stay 0",
            &self.canary_late_accepts,
        );
    }

    /// Notes the wait of an edit; `None` where nobody knows how it ended.
    pub(crate) fn edit_waited(&self, receipt: Option<&Receipt>) {
        let (outcome, waited) = match receipt {
            Some(receipt) if receipt.lease_expired == 0 => (Waited::Acknowledged, receipt.waited),
            Some(receipt) => (Waited::LeaseExpired, receipt.waited),
            None => (Waited::Unknown, Duration::ZERO),
        };
        if let Some(histogram) = self.edit_waits.get(outcome as usize) {
            histogram.observe(waited.as_secs_f64());
        }
    }
}

impl State {
    fn register(&self, registry: &mut Registry) {
        let mut gauge = |name: &str, help: &str, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("keyring_keys", "Keys in memory, those that ended lately among them", &self.keys);
        gauge("node_ready", "Whether this node takes requests", &self.ready);
        gauge("change_applied", "The number of the last edit that this node has in memory", &self.applied);
        gauge("change_lag", "How many edits there are that this node does not have in memory", &self.lag);
        gauge("nodes", "Nodes with a lease on this database, as this one sees it", &self.nodes);
        gauge(
            "redis_up",
            "Whether the windows that nodes share can be asked; 0 also where none are set",
            &self.redis_up,
        );
        gauge("limits_in_use", "Keys, users and businesses with a request in their windows", &self.limits_in_use);
        gauge("uses_counted_in", "Keys, users and businesses counted in this hour", &self.counted_in);
        gauge("uses_unwritten", "Blocks of counts that the database has not heard of", &self.unwritten);
        gauge("spool_bytes", "The size of the spool", &self.spool_bytes);
        gauge(
            "spool_volatile",
            "Whether some of what is counted would be lost with the process: the spool could not grow",
            &self.spool_volatile,
        );
        registry.register_with_unit(
            "lease_remaining",
            "For how long this node may answer from memory; infinite on SQLite, where it need not ask",
            Unit::Seconds,
            self.lease_remaining.clone(),
        );
    }
}

/// How much this node holds, at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) keys: i64,
    pub(crate) applied: i64,
    pub(crate) limits_in_use: i64,
    pub(crate) counted_in: i64,
    pub(crate) unwritten: i64,
    pub(crate) spool_bytes: i64,
}

pub(crate) fn state(app: &App) -> Held {
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (counted_in, unwritten) = app.uses.len();
    Held {
        keys: app.node.last_known().map_or(0, |keyring| whole(keyring.len())),
        applied: app.node.applied(),
        limits_in_use: whole(app.limiter.len()),
        counted_in: whole(counted_in),
        unwritten: whole(unwritten),
        spool_bytes: whole(app.arena.bytes()),
    }
}

impl Metrics {
    pub(crate) fn decided(&self, surface: Surface, code: Code) {
        if let Some(counter) = self.decisions.get(surface as usize).and_then(|codes| codes.get(code as usize)) {
            counter.inc();
        }
    }

    pub(crate) fn answered(&self, part: Part, took: Duration) {
        if let Some(durations) = self.requests.get(part as usize) {
            durations.observe(took);
        }
    }

    /// Everything, as Prometheus reads it (OpenMetrics 1.0).
    pub(crate) fn text(&self, app: &App) -> Result<String, std::fmt::Error> {
        let (state, now) = (&self.state, state(app));
        state.keys.set(now.keys);
        state.ready.set(app.is_ready().into());
        state.applied.set(now.applied);
        state.lag.set(app.node.lag());
        state.nodes.set(app.node.peer_count().into());
        state.redis_up.set(app.shared.as_ref().is_some_and(Shared::is_up).into());
        let remaining = app.node.lease_remaining();
        state.lease_remaining.set(remaining.map_or(f64::INFINITY, |remaining| remaining.as_secs_f64()));
        state.limits_in_use.set(now.limits_in_use);
        state.counted_in.set(now.counted_in);
        state.unwritten.set(now.unwritten);
        state.spool_bytes.set(now.spool_bytes);
        state.spool_volatile.set(app.arena.is_volatile().into());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
