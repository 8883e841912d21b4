//! The commands that are one HTTP call each.

use serde_json::Value;

use crate::support::{Quickstart, directory, portcullis, printed, with_input};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn a_key_from_creation_to_its_end() {
    let directory = directory();
    let server = Quickstart::start(directory.path());
    let run = |arguments: &[&str], exit_code| printed(&server.command(arguments).output().unwrap(), exit_code);
    let user = server.text("user_id");
    let business = server.first_line["business_ids"][0].as_str().unwrap();

    let create = [
        "keys",
        "create",
        "--user",
        user,
        "--name",
        "CRM",
        "--business",
        business,
        "--permission",
        "contacts:read",
        "--metadata",
        "plan=pro",
        "--allow-ip",
        "10.0.0.0/8",
        "--json",
    ];
    let made = json(&run(&create, 0));
    let (id, token) = (made["api_key"]["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert_eq!(made["api_key"]["metadata"]["plan"], "pro");

    let verify = ["verify", "--permission", "contacts", "--method", "GET", "--ip", "10.1.2.3", "--business", business];
    assert!(printed(&with_input(&mut server.command(&verify), token), 0).contains("VALID"));
    let elsewhere = ["verify", "--ip", "11.1.2.3", "--json"];
    assert_eq!(json(&printed(&with_input(&mut server.command(&elsewhere), token), 10))["reason"], "ip_address");

    let why = printed(&with_input(&mut server.command(&["verify", "--ip", "11.1.2.3", "--explain"]), token), 10);
    assert!(why.contains("from 11.1.2.3; allowed: 10.0.0.0/8"), "{why}");

    let listed = json(&run(&["keys", "list", "--user", user, "--json"], 0));
    assert_eq!(listed["data"][0]["id"], id);
    assert_eq!(listed["next_cursor"], Value::Null);
    assert!(run(&["keys", "list", "--user", user, "--limit", "1"], 0).contains("--cursor"));
    assert!(run(&["keys", "show", "--user", user, id], 0).contains("contacts:read"));
    assert!(run(&["keys", "revoke", "--user", user, id, "--reason", "left the team"], 0).contains("left the team"));
    printed(&with_input(&mut server.command(&["verify"]), token), 10);
    let other = server.text("api_key_id");
    let rotated = json(&run(&["keys", "rotate", "--user", user, other, "--overlap-seconds", "0", "--json"], 0));
    assert_eq!((&rotated["previous"]["id"], &rotated["previous"]["status"]), (&other.into(), &"expired".into()));
    printed(&with_input(&mut server.command(&["verify"]), rotated["token"].as_str().unwrap()), 0);
    printed(&with_input(&mut server.command(&["verify"]), server.text("token")), 10);
    let successor = rotated["api_key"]["id"].as_str().unwrap();
    assert!(run(&["keys", "rotate", "--user", user, successor], 0).contains("shown this once"));
    let revoked = json(&run(&["keys", "list", "--user", user, "--status", "revoked", "--json"], 0));
    assert_eq!(revoked["data"].as_array().unwrap().len(), 1);
}

#[test]
fn users_and_businesses() {
    let directory = directory();
    let server = Quickstart::start(directory.path());
    let run = |arguments: &[&str], exit_code| printed(&server.command(arguments).output().unwrap(), exit_code);

    let user = json(&run(&["users", "create", "--email", "bob@example.com", "--name", "Bob", "--json"], 0));
    let user = user["id"].as_str().unwrap();
    run(&["users", "create", "--email", "BOB@example.com"], 5);
    assert!(run(&["users", "list"], 0).contains("bob@example.com"));
    assert!(run(&["users", "disable", user], 0).contains("disabled"));
    assert!(run(&["users", "enable", user], 0).contains("active"));
    assert!(run(&["users", "show", user], 0).contains("Bob"));

    let business = json(&run(&["businesses", "create", "--name", "Bakery", "--owner", user, "--json"], 0));
    let business = business["id"].as_str().unwrap();
    assert!(run(&["businesses", "members", business], 0).contains("owner"));
    let admin = server.text("user_id");
    assert!(run(&["businesses", "set-member", business, admin, "--role", "viewer"], 0).contains("viewer"));
    run(&["businesses", "remove-member", business, admin], 0);
    run(&["businesses", "remove-member", business, user], 5);
    assert!(run(&["businesses", "roles", business], 0).contains("analytics:read"));
    assert!(run(&["businesses", "disable", business], 0).contains("disabled"));
    assert!(run(&["businesses", "enable", business], 0).contains("active"));
    assert!(run(&["businesses", "list"], 0).contains("Bakery"));
    assert!(run(&["businesses", "show", business], 0).contains("Bakery"));
    assert!(run(&["whoami"], 0).contains("keys:verify"));
}

#[test]
fn the_audit_log_is_listed_verified_and_exported() {
    let directory = directory();
    let server = Quickstart::start(directory.path());
    let data = directory.path().join("store");
    let data = data.to_str().unwrap();
    let run = |arguments: &[&str], exit_code| printed(&server.command(arguments).output().unwrap(), exit_code);
    assert!(run(&["audit", "list"], 0).contains("operator_key.created"));
    let listed = json(&run(&["audit", "list", "--target", server.text("api_key_id"), "--json"], 0));
    assert_eq!(listed["data"][0]["action"], "api_key.created");
    // Both read the store beside the running server.
    assert_eq!(json(&run(&["audit", "verify", "--data", data, "--json"], 0))["events"], 7);
    let exported = run(&["audit", "export", "--data", data], 0);
    let lines: Vec<Value> = exported.lines().map(json).collect();
    assert_eq!((lines.len(), &lines[0]["number"]), (7, &1.into()));
    run(&["audit", "verify", "--data", "/nowhere"], 1);
}

#[test]
fn what_goes_wrong_is_said_and_has_its_exit_code() {
    let directory = directory();
    let server = Quickstart::start(directory.path());
    let fails = |command: &mut std::process::Command, exit_code, part: &str| {
        let output = command.output().unwrap();
        printed(&output, exit_code);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(part), "{part} in {errors}");
    };
    let user = server.text("user_id");
    let missing = "usr_00000000000000000000000001";
    fails(&mut server.command(&["users", "show", missing]), 4, "NOT_FOUND");
    fails(&mut server.command(&["users", "show", "usr_x"]), 2, "Crockford");
    fails(&mut server.command(&["keys", "create", "--user", user, "--name", " "]), 5, "name must not be empty");
    fails(&mut server.command(&["keys", "list", "--user", user, "--status", "a b"]), 5, "`status` is");
    fails(server.command(&["whoami"]).env("PORTCULLIS_TOKEN", "op_live_x"), 3, "malformed");
    fails(server.command(&["whoami"]).env_remove("PORTCULLIS_TOKEN"), 2, "PORTCULLIS_TOKEN");
    fails(server.command(&["whoami"]).env("PORTCULLIS_URL", "http://127.0.0.1:9"), 6, "is the server running");
    fails(&mut portcullis(&["keys", "dig"]), 2, "dig");
}

#[test]
fn the_operator_token_may_be_in_a_file() {
    let directory = directory();
    let server = Quickstart::start(directory.path());
    let file = directory.path().join("token");
    std::fs::write(&file, format!("{}\n", server.text("operator_token"))).unwrap();
    let mut command = server.command(&["whoami", "--json"]);
    let output = command.env_remove("PORTCULLIS_TOKEN").env("PORTCULLIS_TOKEN_FILE", &file).output().unwrap();
    assert_eq!(json(&printed(&output, 0))["kind"], "operator_key");
}

/// Lines of elsewhere come in, those that cannot are told of by number, and a second run takes in what was mended and no more.
#[test]
fn keys_of_elsewhere_are_imported_from_csv_and_json_lines() {
    let directory = directory();
    let server = Quickstart::start(directory.path());
    let user = server.text("user_id");
    let run = |file: &str, exit_code, json: bool| {
        let mut arguments = vec!["keys", "import", "--user", user, file];
        arguments.extend(json.then_some("--json"));
        printed(&server.command(&arguments).output().unwrap(), exit_code)
    };
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // `printf %s sk_old_1 | sha256sum`, and of `sk_old_2`.
    let one = "5a5e9b0b8f8ef2f5f0b6c1a1b0e1c3fdd4f2b6a5e7f6fa1f7a3a2c7a70c3b111";
    let two = "1111111111111111111111111111111111111111111111111111111111111111";
    let csv = format!(
        "name,sha256,permissions,metadata\nCRM,{one},contacts:read calls:read,\"{{\"\"from\"\":\"\"old\"\"}}\"\nBad,x,,\nFlies,{two},calls:fly,\n"
    );
    let file_path = file("keys.csv", &csv);
    let told = run(&file_path, 12, false);
    assert!(told.contains("1 keys taken in") && told.contains('3') && told.contains("64 hexadecimal"), "{told}");
    assert!(told.contains("is not in the catalogue"), "{told}");
    let listed = run_list(&server, user);
    assert!(listed.contains("CRM") && !listed.contains("Flies"), "{listed}");

    let mended = format!("{{\"name\":\"CRM\",\"sha256\":\"{one}\"}}\n\n{{\"name\":\"Flies\",\"sha256\":\"{two}\"}}\n");
    let told = run(&file("keys.jsonl", &mended), 12, true);
    let lines: Vec<Value> = told.lines().map(json).collect();
    assert_eq!((&lines[0]["line"], &lines[0]["error"]["code"]), (&1.into(), &"CONFLICT".into()));
    assert_eq!((&lines[1]["line"], &lines[1]["api_key"]["name"]), (&3.into(), &"Flies".into()));
    run(&file("other.csv", "name,sha256,owner\na,b,c\n"), 2, false);
    run(&file("empty.csv", "name,sha256\n"), 2, false);
    run("no-such-file.csv", 2, false);
    let piped = with_input(
        &mut server.command(&["keys", "import", "--user", user, "--format", "csv", "-"]),
        &format!("name,sha256\nPiped,{}\n", two.replace('1', "2")),
    );
    assert!(printed(&piped, 0).contains("1 keys taken in"));
}

fn run_list(server: &Quickstart, user: &str) -> String {
    printed(&server.command(&["keys", "list", "--user", user]).output().unwrap(), 0)
}

/// A head that was kept somewhere else: the log must have it, and it must be of this server.
#[test]
fn a_log_that_was_cut_does_not_have_the_head_that_was_kept() {
    let (directory, elsewhere) = (directory(), tempfile::tempdir().unwrap());
    let (server, stranger) = (Quickstart::start(directory.path()), Quickstart::start(elsewhere.path()));
    let head = |of: &Quickstart| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let asked = of.send(reqwest::Method::GET, of.text("operator_token"), "/audit-events/head", &Value::Null);
        runtime.block_on(asked).1["data"]["head"].as_str().unwrap().to_owned()
    };
    let (own, foreign) = (head(&server), head(&stranger));
    let data = directory.path().join("store");
    let verify = |more: &[&str], exit_code| {
        let mut arguments = vec!["audit", "verify", "--data", data.to_str().unwrap()];
        arguments.extend(more);
        let output = portcullis(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(exit_code), "{}", String::from_utf8_lossy(&output.stderr));
    };
    verify(&["--head", &own], 0);
    let key = own.split('.').nth(3).unwrap();
    verify(&["--head", &own, "--public-key", key], 0);
    verify(&["--head", &foreign, "--public-key", key], 11);
    verify(&["--head", &foreign], 11);
    verify(&["--head", &own.replacen('.', "1.", 1)], 11);
    verify(&["--head", "x"], 2);
}

#[test]
fn limits_are_set_and_usage_is_told() {
    let directory = directory();
    let server = Quickstart::start(directory.path());
    let run = |arguments: &[&str], exit_code| printed(&server.command(arguments).output().unwrap(), exit_code);
    let (user, key) = (server.text("user_id"), server.text("api_key_id"));
    let business = server.first_line["business_ids"][0].as_str().unwrap();
    let verify = |arguments: &[&str], exit_code| {
        printed(&with_input(&mut server.command(&[&["verify"], arguments].concat()), server.text("token")), exit_code)
    };

    let set = ["limits", "rate", "--user", user, key, "--per-minute", "5", "--per-second", "5", "--json"];
    assert_eq!(json(&run(&set, 0))["rate_limit"], serde_json::json!({"per_minute": 5, "per_second": 5}));
    assert!(verify(&["--cost", "2"], 0).contains("3 of 5 left (minute)"));
    let never = json(&verify(&["--cost", "6", "--json"], 10));
    assert_eq!((&never["code"], &never["reason"]), (&"RATE_LIMITED".into(), &"cost".into()));
    assert!(run(&["limits", "rate", "--user", user, key], 0).contains("100000000"));
    run(&["limits", "rate", "--user", user, key, "--per-minute", "5"], 2);

    let set = ["limits", "set", "--user", user, "--key", key, "--limit", "hourly=3/3600", "--per-day", "9"];
    let shown = run(&set, 0);
    assert!(shown.contains("hourly") && shown.contains("in 3600 s") && shown.contains("quota-day"), "{shown}");
    assert_eq!(run(&["limits", "show", "--user", user, "--key", key], 0), shown);
    assert!(verify(&[], 0).contains("(hourly)"));
    assert!(run(&["limits", "show", "--user", user], 0).contains("No limits"));
    run(&["limits", "set", "--business", business, "--per-month", "100", "--json"], 0);
    run(&["limits", "set", "--business", business, "--limit", "hourly"], 2);
    run(&["limits", "show"], 2);

    let of_key = json(&run(&["usage", "--user", user, "--key", key, "--family", "--json"], 0));
    assert_eq!(of_key["totals"], serde_json::json!({"VALID": 2, "RATE_LIMITED": 1}));
    let told = run(&["usage", "--user", user, "--window", "30d"], 0);
    assert!(told.contains("RATE_LIMITED 1, VALID 2"), "{told}");
    assert!(run(&["usage", "--business", business], 0).contains("no request"));
    assert!(run(&["keys", "show", "--user", user, key], 0).contains("3 in 24 hours"));
}
