//! `portcullis init` and `serve`.

use serde_json::Value;

use crate::support::{directory, portcullis, printed, with_input};

#[test]
fn it_makes_the_first_user_and_operator_key_once() {
    let directory = directory();
    let data = directory.path().join("store");
    let arguments = ["init", "--data", data.to_str().unwrap(), "--email", "ann@example.com", "--json"];
    let made: Value = serde_json::from_str(&printed(&portcullis(&arguments).output().unwrap(), 0)).unwrap();
    assert!(made["user_id"].as_str().unwrap().starts_with("usr_"));
    assert!(made["operator_key_id"].as_str().unwrap().starts_with("opk_"));
    assert!(made["operator_token"].as_str().unwrap().starts_with("op_live_"));
    assert_eq!(made["password"].as_str().unwrap().len(), 20, "no password was given, so one was made");

    let again = portcullis(&arguments).output().unwrap();
    printed(&again, 5);
    assert!(String::from_utf8_lossy(&again.stderr).contains("it is set up"));
}

#[test]
fn a_password_that_was_given_is_not_printed() {
    for given in ["stdin", "environment", "file"] {
        let directory = directory();
        let url = format!("sqlite:{}", directory.path().join("store").display());
        let file = directory.path().join("password");
        std::fs::write(&file, "correct horse battery\n").unwrap();
        let mut command = portcullis(&["init", "--database-url", &url, "--email", "ann@example.com", "--json"]);
        let output = match given {
            "stdin" => with_input(&mut command, "correct horse battery\n"),
            "environment" => command.env("PORTCULLIS_PASSWORD", "correct horse battery").output().unwrap(),
            _ => command.env("PORTCULLIS_PASSWORD_FILE", &file).output().unwrap(),
        };
        let shown = printed(&output, 0);
        assert!(!shown.contains("password") && !shown.contains("correct horse"), "{given}: {shown}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_leaves_an_empty_store() {
    let directory = directory();
    let data = directory.path().join("store");
    let data = data.to_str().unwrap();
    let with_password = |password: &str, email: &str| {
        portcullis(&["init", "--data", data, "--email", email]).env("PORTCULLIS_PASSWORD", password).output().unwrap()
    };
    let short = with_password("short", "ann@example.com");
    printed(&short, 5);
    assert!(String::from_utf8_lossy(&short.stderr).contains("must have 12 to 256 characters"));
    let no_address = with_password("correct horse battery", "ann");
    printed(&no_address, 5);
    assert!(String::from_utf8_lossy(&no_address.stderr).contains("e-mail"));
    printed(&portcullis(&["init", "--email", "ann@example.com"]).output().unwrap(), 2);
    printed(&portcullis(&["init", "--database-url", "mysql://x/y", "--email", "a@b"]).output().unwrap(), 2);
    printed(&with_password("correct horse battery", "ann@example.com"), 0);
}

#[test]
fn a_bad_configuration_is_named() {
    let directory = directory();
    let file = directory.path().join("portcullis.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
    let output = portcullis(&["serve", "--config", file.to_str().unwrap()]).output().unwrap();
    printed(&output, 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("lisen"));
}
