//! Over HTTP, beside servers with nothing behind them.

use std::path::{Path, PathBuf};

use crate::children::{self, Server};
use crate::generator::BETWEEN;
use crate::store::Stored;
use crate::table::Table;
use crate::{Done, Scale, keys};

/// How many keys the requests are about.
const TOKENS: usize = 20_000;
const TICKS_A_SECOND: f64 = 100.0;

/// One kind of request: what it is called, beside what it stands, and how it is written.
struct Scenario {
    name: &'static str,
    beside: Option<&'static str>,
    bare: bool,
    requests: PathBuf,
}

pub(crate) fn measure(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    let scenarios = scenarios(directory, stored, scale.stored_keys)?;
    let server = Server::start(&["server", &directory.display().to_string()])?;
    let bare = Server::start(&["bare"])?;
    let mut rates = vec![Vec::new(); scenarios.len()];
    let mut costs = vec![Vec::new(); scenarios.len()];
    // The first round warms up and is not counted.
    for round in 0..=scale.rounds {
        for ((scenario, rates), costs) in scenarios.iter().zip(&mut rates).zip(&mut costs) {
            let asked = if scenario.bare { &bare } else { &server };
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
        table.add(scenario.name, "us CPU", costs, scenario.beside);
    }
    for (scenario, rates) in scenarios.iter().zip(&rates) {
        table.add(&format!("{}, requests", scenario.name), "a second", rates, None);
    }
    Ok(())
}

fn scenarios(directory: &Path, stored: &Stored, count: usize) -> Done<Vec<Scenario>> {
    let tokens: Vec<String> =
        (0..TOKENS.min(count)).map(|n| keys::token(n * (count / TOKENS.min(count))).reveal().to_owned()).collect();
    let post = |path: &str, credential: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{credential}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let body = |token: &String| format!("{{\"token\":\"{token}\",\"permission\":\"contacts:read\"}}");
    let operator = format!("Authorization: Bearer {}\r\n", stored.operator);
    let write = |name: &str, requests: Vec<String>| -> Done<PathBuf> {
        let path = directory.join(name);
        std::fs::write(&path, requests.join(BETWEEN))?;
        Ok(path)
    };
    let get = |path: &str, token: &String| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n")
    };
    Ok(vec![
        Scenario {
            name: "bare 204",
            beside: None,
            bare: true,
            requests: write("bare", tokens.iter().map(|token| get("/204", token)).collect())?,
        },
        Scenario {
            name: "whoami",
            beside: Some("bare 204"),
            bare: false,
            requests: write("whoami", tokens.iter().map(|token| get("/api/v1/whoami", token)).collect())?,
        },
        Scenario {
            name: "JSON echo",
            beside: None,
            bare: true,
            requests: write("echo", tokens.iter().map(|token| post("/echo", &operator, &body(token))).collect())?,
        },
        Scenario {
            name: "verify",
            beside: Some("JSON echo"),
            bare: false,
            requests: write(
                "verify",
                tokens.iter().map(|token| post("/api/v1/verify", &operator, &body(token))).collect(),
            )?,
        },
    ])
}
