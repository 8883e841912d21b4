//! What a decision costs a gateway: the same gateway, the same API behind it, with a path that is open and one that is guarded.
//!
//! Everything but the load is on core 0, so that requests a second tell what the whole chain costs; the time of that core is counted
//! beside them.

use std::path::Path;

use portcullis_engines::{Gateway, Kind, Others, free_port};

use crate::children::{self, Server};
use crate::generator::BETWEEN;
use crate::http;
use crate::table::Table;
use crate::{Done, Scale};

const GATE: &str = r#"
trusted_proxies = ["127.0.0.1"]

[[gate.crm.rule]]
methods = ["GET"]
path = "/health"
needs = "nothing"

[[gate.crm.rule]]
methods = ["GET", "HEAD"]
path = "/api/contacts/**"
permission = "contacts:read"
"#;

/// A port, and what a request for it is called.
struct Way {
    name: &'static str,
    port: u16,
    path: &'static str,
    beside: Option<&'static str>,
}

pub(crate) fn measure(scale: &Scale, directory: &Path, table: &mut Table) -> Done<()> {
    stay_on_the_first_core()?;
    let api = Server::start(&["bare"])?;
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
    let nginx = Gateway::start(Kind::Nginx, others, &[]);
    let by_http = Gateway::start(Kind::EnvoyHttp, others, &[]);
    let by_grpc = Gateway::start(Kind::EnvoyGrpc, others, &[]);
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
    let tokens = http::tokens(scale.stored_keys);
    let requests = |path: &str| directory.join(format!("gateway {}", path.replace('/', " "))).display().to_string();
    for path in [open, guarded] {
        let all: Vec<String> = tokens.iter().map(|token| http::get(path, token)).collect();
        std::fs::write(requests(path), all.join(BETWEEN))?;
    }
    let mut measured = vec![(Vec::new(), Vec::new()); ways.len()];
    // The first round warms up and is not counted.
    for round in 0..=scale.rounds {
        for (way, (costs, rates)) in ways.iter().zip(&mut measured) {
            let before = core_ticks()?;
            let address = format!("127.0.0.1:{}", way.port);
            let words = ["generate", &address, &scale.http_seconds.to_string(), &requests(way.path)];
            let numbers = children::numbers(&words)?;
            let spent = core_ticks()? - before;
            let [answered, seconds] = numbers.as_slice() else { return Err("the load ended early".into()) };
            if round > 0 {
                costs.push(spent / http::TICKS_A_SECOND * 1_000_000.0 / answered);
                rates.push(answered / seconds);
            }
        }
    }
    for (way, (costs, _)) in ways.iter().zip(&measured) {
        table.add(way.name, "us CPU", costs, way.beside);
    }
    for (way, (_, rates)) in ways.iter().zip(&measured) {
        let beside = way.beside.map(|beside| format!("{beside}, requests"));
        table.add(&format!("{}, requests", way.name), "a second", rates, beside.as_deref());
    }
    Ok(())
}

fn port(address: &str) -> Done<u16> {
    Ok(address.rsplit(':').next().unwrap_or_default().parse()?)
}

/// What is started from now on starts there too; the load goes to the second core by itself.
fn stay_on_the_first_core() -> Done<()> {
    let own = std::process::id().to_string();
    let done = std::process::Command::new("taskset").args(["-a", "-p", "-c", "0", &own]).output()?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned().into()) }
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
