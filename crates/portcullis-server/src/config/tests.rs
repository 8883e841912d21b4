//! Settings from files and environments.

use super::*;

const EXAMPLE: &str = include_str!("../../../../portcullis.example.toml");

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(text, environment).map_err(|error| error.to_string())
}

#[test]
fn the_example_names_every_setting_and_is_the_default() {
    for (name, _) in SETTINGS {
        assert!(
            EXAMPLE.contains(&format!("\n{name} = "))
                || EXAMPLE.contains(&format!("\n#{name} = "))
                || EXAMPLE.contains(&format!("\n[{name}]"))
                || EXAMPLE.contains(&format!("\n#[{name}.")),
            "{name} is not in portcullis.example.toml"
        );
    }
    let (example, default) = (read(EXAMPLE, &[]).unwrap(), read("", &[]).unwrap());
    assert_eq!(format!("{example:?}"), format!("{default:?}"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = read(
        "listen = \"127.0.0.1:1\"\nmax_body_bytes = 2048",
        &[
            ("PORTCULLIS_LISTEN", "127.0.0.1:2"),
            ("PORTCULLIS_MAX_BODY_BYTES", "4096"),
            ("PORTCULLIS_CATALOGUE", "{ notes = [\"read\"] }"),
            ("PORTCULLIS_TOKEN_PREFIX", "acme"),
            ("PORTCULLIS_LISTN", "x"),
            ("PORTCULLIS_TOKEN", "x"),
            ("HOME", "/"),
        ],
    )
    .unwrap();
    assert_eq!(config.unheeded, ["PORTCULLIS_LISTN"]);
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.connections.max_body_bytes, 4096);
    assert_eq!(config.token_prefix.as_str(), "acme");
    assert_eq!(config.catalogue.names(config.catalogue.all()).collect::<Vec<_>>(), ["notes:read"]);
}

/// The example's gate, with what is a comment there.
fn example_gate() -> String {
    let (_, gate) = EXAMPLE.split_once("\n#[gate.crm]").unwrap();
    let lines = gate.lines().filter_map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')));
    format!("[gate.crm]\n{}", lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_gate_of_the_example_is_one() {
    let config = read(&example_gate(), &[]).unwrap();
    let gate = config.gate("crm").unwrap();
    let upstream = gate.upstream.as_ref().unwrap();
    assert_eq!(upstream.url, "http://127.0.0.1:8080");
    let defaults = "[gate.crm.upstream]\nurl = \"http://127.0.0.1:8080\"\nlisten = \"127.0.0.1:8000\"\n\
                    authorization_file = \"/etc/portcullis/crm-authorization\"\n\
                    [[gate.crm.rule]]\nmethods = [\"*\"]\npath = \"/**\"\nneeds = \"live_key\"";
    assert_eq!(read(defaults, &[]).unwrap().gate("crm").unwrap().upstream.as_ref(), Some(upstream));
    assert_eq!(gate.rules.rules[0].business, portcullis_core::gate::BusinessFrom::Segment(3));
    assert_eq!(gate.token_parameter.as_deref(), Some("api_key"));
}

#[test]
fn a_gate_that_cannot_be_is_named_with_its_rule() {
    let rule =
        |text: &str| format!("[[gate.crm.rule]]\nmethods = [\"GET\"]\npath = \"/a\"\nneeds = \"live_key\"\n{text}");
    let with = |methods: &str, path: &str, rest: &str| {
        format!("[[gate.crm.rule]]\nmethods = {methods}\npath = \"{path}\"\n{rest}")
    };
    for (text, part) in [
        ("[gate.crm]".to_owned(), "`gate.crm`: it has no rule"),
        (rule("").replace("crm", "\"Crm X\""), "its name must be"),
        (with("[\"GET\"]", "/a", ""), "rule 1 (/a): say either"),
        (rule("permission = \"calls:read\""), "rule 1 (/a): say either"),
        (with("[\"GET\"]", "/a", "permission = \"call:read\""), "the catalogue has no `call:read`"),
        (with("[\"*\"]", "/a", "permission = \"analytics\""), "the catalogue has no `analytics:write`"),
        (with("[]", "/a", "needs = \"live_key\""), "`methods` is empty"),
        (with("[\"get\"]", "/a", "needs = \"live_key\""), "`get` is no method"),
        (with("[\"GET\"]", "/a/../b", "needs = \"live_key\""), "no path could fit it"),
        (with("[\"GET\"]", "/a{b}", "needs = \"live_key\""), "must be a whole segment"),
        (rule("business = { capture = \"b\" }"), "the path has no capture `{b}`"),
        (rule("business = { header = \"a b\" }"), "is no name of a header"),
        (rule("business = { header = \"Authorization\" }"), "`authorization` says something else"),
        (rule("business = { header = \"X-Portcullis-Business-Id\" }"), "says something else"),
        (rule("business = { header = \"X-Forwarded-For\" }"), "says something else"),
        (rule("business = { header = \"Cookie\" }"), "says something else"),
        (with("[\"GET\"]", "/{business_id}", "needs = \"nothing\""), "concerns no business"),
        (rule("buisness = \"none\""), "buisness"),
        (format!("{}[gate.crm.upstream]\nurl = \"http://a/b\"\nlisten = \"127.0.0.1:1\"", rule("")), "`upstream.url`"),
        ("trusted_proxies = [\"localhost\"]".to_owned(), "`trusted_proxies`: `localhost` is neither"),
    ] {
        let error = read(&text, &[]).expect_err(&text);
        assert!(error.contains(part), "{text}\n{error}");
    }
}

#[test]
fn a_bad_setting_is_named() {
    for (text, environment, part) in [
        ("lisen = 1", &[][..], "lisen"),
        ("listen = \"nowhere\"", &[], "listen"),
        ("token_prefix = \"op\"", &[], "token_prefix"),
        ("idle_timeout_seconds = 0", &[], "idle_timeout_seconds"),
        ("public_url = \"https://example.com/x\"", &[], "public_url"),
        ("public_url = \"example.com\"", &[], "public_url"),
        ("session_idle_minutes = 0", &[], "session_idle_minutes"),
        ("rate_limit_per_second = 0", &[], "rate_limit_per_second"),
        ("rate_limit_per_minute = 100000001", &[], "rate_limit_per_minute"),
        ("rate_limit_per_minute = 1.5", &[], "rate_limit_per_minute"),
        ("rate_limit_headers = \"all\"", &[], "rate_limit_headers"),
        ("usage_by_hour_days = 7", &[], "usage_by_hour_days"),
        ("idle_timeout_seconds = -1", &[], "idle_timeout_seconds"),
        ("[catalogue]", &[], "catalogue"),
        ("[catalogue]\nCalls = [\"read\"]", &[], "Calls"),
        ("[catalogue]\ncalls = [\"delete\"]", &[], "delete"),
        ("", &[("PORTCULLIS_MAX_BODY_BYTES", "many")], "PORTCULLIS_MAX_BODY_BYTES"),
        ("", &[("PORTCULLIS_LISTEN", "x")], "socket"),
    ] {
        let error = read(text, environment).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}
