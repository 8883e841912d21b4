//! The dashboard in a real browser. Each script is a file of flows in `crates/portcullis-server/tests/browser`, run on a
//! server of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::{Quickstart, portcullis};

/// Runs a script on the server of a quickstart.
fn run(name: &str, rest: &[&str]) {
    let data = TempDir::new().unwrap();
    let server = Quickstart::start_quietly(data.path());
    script(name, &server.first_line.to_string(), rest);
    let log = std::fs::read_to_string(&server.log).unwrap();
    assert!(!log.contains("_live_"), "a token is in the log:\n{log}");
}

/// Runs a script, all of whose flows must pass.
fn script(name: &str, server: &str, rest: &[&str]) {
    let output = node(name, server, rest);
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("all passed"), "{name}:\n{said}\n{errors}");
    println!("{said}");
}

/// Runs a script. A module looks for what it imports beside itself and above, so it is run from where the tools are.
pub(crate) fn node(name: &str, server: &str, rest: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tools = root.join("target/tools/browser");
    assert!(
        tools.join("node_modules/axe-core").is_dir(),
        "target/tools/browser is missing: run ./test once, which makes it"
    );
    let place = TempDir::new_in(&tools).unwrap();
    for entry in std::fs::read_dir(root.join("crates/portcullis-server/tests/browser")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), place.path().join(entry.file_name())).unwrap();
    }
    Command::new("node").arg(place.path().join(name).with_extension("mjs")).arg(server).args(rest).output().unwrap()
}

/// `portcullis serve` on an empty directory prints a code, and the page takes it.
#[test]
fn attack_47_the_first_start() {
    let data = TempDir::new().unwrap();
    let mut command = portcullis(&["serve", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()]);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let said: Vec<String> = lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).take(4).collect();
    let url = said.iter().find_map(|line| line.strip_suffix("/setup")).unwrap();
    let code = said.last().unwrap();
    assert!(code.len() == 19 && code.matches('-').count() == 3, "{said:?}");
    script("setup", &serde_json::json!({"url": url, "code": code}).to_string(), &[]);
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn coming_in_and_going_out() {
    run("sign_in", &[]);
}

#[test]
fn api_keys() {
    run("api_keys", &[]);
}

#[test]
fn businesses_usage_and_audit_log() {
    run("businesses", &[]);
}

#[test]
fn the_platform() {
    run("platform", &[]);
}

#[test]
fn without_javascript() {
    run("plain", &[]);
}

#[test]
fn hostile_names_forms_and_addresses() {
    run("hostile", &[]);
}

#[test]
fn every_page_is_accessible_narrow_and_small() {
    run("pages", &[]);
}

/// Pictures for the README, of a server that looks as if it had run for a month: `just screenshots`.
#[test]
#[ignore = "makes files of the repository anew"]
fn screenshots() {
    let data = TempDir::new().unwrap();
    let mut command = portcullis(&[]);
    command.env("PORTCULLIS_RATE_LIMIT_PER_MINUTE", "600").env("PORTCULLIS_RATE_LIMIT_PER_SECOND", "60");
    let server = Quickstart::start_as(command, data.path());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screenshots");
    let database = data.path().join("store/portcullis.db");
    script("screenshots", &server.first_line.to_string(), &[folder.to_str().unwrap(), database.to_str().unwrap()]);
}
