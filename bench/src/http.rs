//! Over HTTP, beside servers with nothing behind them.

use std::path::{Path, PathBuf};

use crate::children::{self, Server};
use crate::generator::BETWEEN;
use crate::store::{self, Stored};
use crate::table::Table;
use crate::{Done, Scale, keys};

/// How many keys the requests are about.
const TOKENS: usize = 20_000;
pub(crate) const TICKS_A_SECOND: f64 = 100.0;

/// One kind of request: what it is called, beside what it stands, and how it is written.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) beside: Option<String>,
    /// Which of the servers is asked.
    pub(crate) server: usize,
    pub(crate) requests: PathBuf,
}

pub(crate) fn measure(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    let scenarios = scenarios(directory, stored, scale.stored_keys)?;
    let server = Server::start(&["server", &directory.display().to_string()])?;
    let bare = Server::start(&["bare"])?;
    run(scale, &scenarios, &[server, bare], table)
}

/// Runs scenarios in turns, and adds a line for what each costs and one for how many there were in a second.
pub(crate) fn run(scale: &Scale, scenarios: &[Scenario], servers: &[Server], table: &mut Table) -> Done<()> {
    let mut rates = vec![Vec::new(); scenarios.len()];
    let mut costs = vec![Vec::new(); scenarios.len()];
    // The first round warms up and is not counted.
    for round in 0..=scale.rounds {
        for ((scenario, rates), costs) in scenarios.iter().zip(&mut rates).zip(&mut costs) {
            let asked = servers.get(scenario.server).ok_or("no such server")?;
            let (before, requests) = (asked.ticks()?, scenario.requests.display().to_string());
            let words = ["generate", &asked.address, &scale.http_seconds.to_string(), &requests];
            let numbers = children::numbers(&words)?;
            let spent = asked.ticks()? - before;
            let [answered, seconds] = numbers.as_slice() else { return Err("the load ended early".into()) };
            if round > 0 {
                rates.push(answered / seconds);
                costs.push(spent / TICKS_A_SECOND * 1_000_000.0 / answered);
            }
        }
    }
    for (scenario, costs) in scenarios.iter().zip(&costs) {
        table.add(&scenario.name, "us CPU", costs, scenario.beside.as_deref());
    }
    for (scenario, rates) in scenarios.iter().zip(&rates) {
        table.add(&format!("{}, requests", scenario.name), "a second", rates, None);
    }
    Ok(())
}

/// A page of 50 keys of an owner who has a thousand, and of one who has as many as the store can be measured with.
pub(crate) fn measure_lists(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    let server = Server::start(&["server", &directory.display().to_string()])?;
    let bare = Server::start(&["bare"])?;
    let mut scenarios = Vec::new();
    // Every tenth key is revoked; the last filter fits none, so that a page looks at as many rows as it ever does.
    for filter in ["", "&status=active", "&status=revoked", "&q=nothing+has+this+name"] {
        let mut beside = None;
        for (owner, count) in [(store::OF_FEW, store::FEW), (store::OF_MANY, scale.stored_keys)] {
            let name = format!("page of 50{filter}, among {count}");
            let path = format!("/api/v1/users/{}/api-keys?limit=50{filter}", keys::user(owner));
            let authorization = format!("Authorization: Bearer {}", stored.operator);
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n\r\n");
            let requests = directory.join(format!("list {}", scenarios.len()));
            std::fs::write(&requests, request)?;
            scenarios.push(Scenario { name: name.clone(), beside: beside.replace(name), server: 0, requests });
        }
    }
    run(scale, &scenarios, &[server, bare], table)
}

/// Tokens of a part of all keys, evenly.
pub(crate) fn tokens(count: usize) -> Vec<String> {
    let many = TOKENS.min(count);
    (0..many).map(|n| keys::token(n * (count / many)).reveal().to_owned()).collect()
}

fn post(path: &str, operator: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {operator}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn get(path: &str, token: &String) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n")
}

fn question(token: &String) -> String {
    format!("{{\"token\":\"{token}\",\"permission\":\"contacts:read\"}}")
}

fn write(directory: &Path, name: &str, requests: &[String]) -> Done<PathBuf> {
    let path = directory.join(name);
    std::fs::write(&path, requests.join(BETWEEN))?;
    Ok(path)
}

/// A question about each of the tokens, written to a file.
pub(crate) fn verify_requests(directory: &Path, stored: &Stored, count: usize) -> Done<PathBuf> {
    let verify = |token| post("/api/v1/verify", &stored.operator, &question(token));
    write(directory, "verify", &tokens(count).iter().map(verify).collect::<Vec<_>>())
}

fn scenarios(directory: &Path, stored: &Stored, count: usize) -> Done<Vec<Scenario>> {
    let tokens = tokens(count);
    let of = |request: &dyn Fn(&String) -> String| tokens.iter().map(request).collect::<Vec<_>>();
    let scenario = |name: &str, beside: Option<&str>, requests| Scenario {
        name: name.to_owned(),
        beside: beside.map(str::to_owned),
        // What stands beside nothing is what the others stand beside.
        server: usize::from(beside.is_none()),
        requests,
    };
    let echo = |token: &String| post("/echo", &stored.operator, &question(token));
    Ok(vec![
        scenario("bare 204", None, write(directory, "bare", &of(&|token| get("/204", token)))?),
        scenario("whoami", Some("bare 204"), write(directory, "whoami", &of(&|token| get("/api/v1/whoami", token)))?),
        scenario("JSON echo", None, write(directory, "echo", &of(&echo))?),
        scenario("verify", Some("JSON echo"), verify_requests(directory, stored, count)?),
    ])
}
