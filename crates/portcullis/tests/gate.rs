//! `portcullis gate check`.

use std::process::Command;

use serde_json::Value;

use crate::support::{directory, portcullis, printed};

const GATES: &str = r#"
[gate.crm]
token_parameter = "api_key"

[[gate.crm.rule]]
methods = ["GET"]
path = "/health"
needs = "nothing"

[[gate.crm.rule]]
methods = ["GET", "HEAD"]
path = "/api/v1/business/{business_id}/contacts/**"
permission = "contacts:read"

[[gate.crm.rule]]
methods = ["*"]
path = "/api/contacts/**"
permission = "contacts"
business = { header = "X-Business-Id" }

[[gate.crm.rule]]
methods = ["POST"]
path = "/api/contacts/import"
needs = "live_key"

[[gate.admin.rule]]
methods = ["*"]
path = "/**"
needs = "user_management"

[[gate.open.rule]]
methods = ["*"]
path = "/**"
needs = "live_key"
"#;

struct Checked {
    directory: tempfile::TempDir,
}

impl Checked {
    fn new(text: &str) -> Self {
        let directory = directory();
        std::fs::write(directory.path().join("portcullis.toml"), text).unwrap();
        Self { directory }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = portcullis(&["gate", "check"]);
        command.arg(self.directory.path().join("portcullis.toml")).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str], exit_code: i32) -> String {
        printed(&self.command(arguments).output().unwrap(), exit_code)
    }

    /// What is said of a wrong use.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn the_rules_are_told_and_what_is_hardly_meant() {
    let checked = Checked::new(GATES);
    let text = checked.run(&[], 0);
    for part in ["Gate crm", "Gate admin", "contacts:read to read, contacts:write for all else", "header x-business-id"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let gates: Value = serde_json::from_str(&checked.run(&["--gate", "crm", "--json"], 0)).unwrap();
    assert_eq!(gates.as_array().unwrap().len(), 1);
    assert_eq!(gates[0]["rules"][1]["business"], "segment 4 of the path");
    let warnings: Vec<_> = gates[0]["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert!(warnings[0].starts_with("rule 4 is never reached: rule 3 fits"), "{warnings:?}");
    assert!(warnings[1].starts_with("`trusted_proxies` is empty"), "{warnings:?}");
    assert!(warnings[2].starts_with("`token_parameter` takes tokens from URLs"), "{warnings:?}");
    let trusting = format!("trusted_proxies = [\"10.0.0.1\"]{GATES}");
    assert!(!Checked::new(&trusting).run(&[], 0).contains("trusted_proxies"));
}

#[test]
fn a_request_is_told_its_rule_and_why() {
    let checked = Checked::new(GATES);
    let ask = |request: &str, exit_code| checked.run(&["--gate", "crm", "--request", request], exit_code);
    let text = ask("POST /api/contacts", 0);
    assert!(text.contains("POST /api/contacts falls under rule 3, and needs contacts:write."), "{text}");
    assert!(text.contains("It concerns the business what the header x-business-id says."), "{text}");
    assert!(text.contains("rule 1 (/health): neither method nor path fits"), "{text}");
    let text = ask("GET /api/v1/business/biz_7/contacts/%31?q", 0);
    assert!(text.contains("{business_id} is biz_7"), "{text}");
    let text = checked.run(&["--gate", "open", "--request", "GET /api/v1/User/api-keys"], 0);
    assert!(text.contains("needs a live key and user management."), "{text}");
    for (request, why) in [
        ("GET /Health", "rule 1 would fit if upper and lower case were the same"),
        ("POST /health", "rule 1 (/health): the path fits, the method does not"),
        ("GET /health/../x", "the path has a `.` or `..` segment"),
        ("DELETE /other", "no rule fits the method and the path"),
    ] {
        let text = ask(request, 10);
        assert!(text.contains("is denied") && text.contains(why), "{text}");
    }
    let json: Value = serde_json::from_str(&checked.run(&["--request", "GET /health", "--json"], 0)).unwrap();
    let (admin, crm) = (&json[0]["request"], &json[1]["request"]);
    assert_eq!((&crm["rule"], &crm["needs"], &crm["path"]), (&1.into(), &"nothing".into(), &"/health".into()));
    assert_eq!((&admin["rule"], &admin["needs"]), (&1.into(), &"user management".into()));
}

#[test]
fn what_cannot_be_used_is_wrong_use() {
    let checked = Checked::new(GATES);
    assert!(checked.refused(&["--gate", "none"]).contains("no gate `none`"));
    assert!(checked.refused(&["--request", "GET"]).contains("--request is a method and a path"));
    assert!(Checked::new("").refused(&[]).contains("the configuration has no gate"));
    let broken = Checked::new(&GATES.replace("contacts:read", "contact:read"));
    assert!(
        broken.refused(&[]).contains("`gate.crm`: rule 2 (/api/v1/business/{business_id}/contacts/**): `permission`")
    );
}
