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
                || EXAMPLE.contains(&format!("\n[{name}]")),
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
