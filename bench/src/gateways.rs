//! What a decision costs a gateway: the same gateway, the same API behind it, with a path that is open and one that is guarded.
//!
//! Everything but the load is on core 0, so that requests a second tell what the whole chain costs; the time of that core is counted
//! beside them.

use std::path::Path;

use portcullis_engines::{Gateway, Kind, Others, free_port};

use crate::asks::{self, Asks, bearer};
use crate::children::GATE;
use crate::rounds::Rounds;
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::{Done, Scale, cores, wrk};

/// The kernel counts the time of a core in hundredths of a second.
const TICKS_A_SECOND: f64 = 100.0;

/// A port, and what a request for it is called.
struct Way {
    name: &'static str,
    port: u16,
    path: &'static str,
    beside: Option<&'static str>,
}

pub(crate) fn measure(scale: &Scale, directory: &Path, _: &Stored, table: &mut Table) -> Done<()> {
    let api = Server::start(&["bare-axum"])?;
    let (proxy, grpc) = (free_port(), free_port());
    let file = directory.join("gateways.toml");
    let limits = "rate_limit_per_minute = 4_000\nrate_limit_per_second = 400\nlog_level = \"warn\"\n";
    let upstream = format!("[gate.crm.upstream]\nurl = \"http://{}\"\nlisten = \"127.0.0.1:{proxy}\"\n", api.address);
    let text = format!(
        "listen = \"127.0.0.1:0\"\ndata = \"{0}\"\npepper_file = \"{0}/pepper\"\ngrpc_listen = \"127.0.0.1:{grpc}\"\n{limits}{GATE}{upstream}",
        directory.display(),
    );
    std::fs::write(&file, text)?;
    let portcullis = Server::start(&["node", &file.display().to_string()])?;
    let others = Others { api: port(&api.address)?, portcullis: port(&portcullis.address)?, grpc };
    let [nginx, by_http, by_grpc] = cores::on(cores::SERVERS, || {
        [Kind::Nginx, Kind::EnvoyHttp, Kind::EnvoyGrpc].map(|kind| Gateway::start(kind, others, &[]))
    })?;
    let (open, guarded) = ("/health", "/api/contacts");
    let way = |name, port, path, beside| Way { name, port, path, beside };
    let ways = [
        way("nginx, open path", nginx.port, open, None),
        way("nginx, forward auth", nginx.port, guarded, Some("nginx, open path")),
        way("Envoy, open path", by_grpc.port, open, None),
        way("Envoy, ext_authz by gRPC", by_grpc.port, guarded, Some("Envoy, open path")),
        way("Envoy, ext_authz by HTTP", by_http.port, guarded, Some("Envoy, open path")),
        way("proxy mode, open path", proxy, open, None),
        way("proxy mode, guarded path", proxy, guarded, Some("proxy mode, open path")),
    ];
    let tokens = asks::tokens(scale.stored_keys);
    let all = |path| Asks::new(tokens.iter().map(|token| asks::get(path, &bearer(token))));
    let (to_open, to_guarded) = (all(open)?, all(guarded)?);
    Rounds::run(scale, table, |rounds| {
        for way in &ways {
            let asks = if way.path == open { &to_open } else { &to_guarded };
            let address = format!("127.0.0.1:{}", way.port);
            wrk::check(&address, asks)?;
            let before = core_ticks()?;
            let counted = wrk::load(&address, asks, scale.http_seconds)?;
            let spent = (core_ticks()? - before) / TICKS_A_SECOND * 1_000_000.0;
            rounds.note(way.name, "us CPU", spent / counted.answers, way.beside);
            let beside = way.beside.map(|beside| format!("{beside}, requests"));
            let name = format!("{}, requests", way.name);
            rounds.note(&name, "a second", counted.a_second(), beside.as_deref());
        }
        Ok(())
    })
}

fn port(address: &str) -> Done<u16> {
    Ok(address.rsplit(':').next().unwrap_or_default().parse()?)
}

/// The time that the first core has worked, in clock ticks: for users, for the system, for interrupts.
fn core_ticks() -> Done<f64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().find(|line| line.starts_with("cpu0 ")).ok_or("no cpu0 in /proc/stat")?;
    let fields: Vec<f64> = line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    let [user, nice, system, _idle, _waits, interrupts, soft, ..] = fields.as_slice() else {
        return Err("too few fields in /proc/stat".into());
    };
    Ok(user + nice + system + interrupts + soft)
}
