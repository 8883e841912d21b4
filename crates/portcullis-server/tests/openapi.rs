//! `/openapi.json`: the document, and that what is committed is it.

use serde_json::Value;

use crate::anonymous_sweep::operations;
use crate::support::Server;

/// Whoever changes the API sees the change in review, and every client that is made from the file is of this server.
#[tokio::test]
async fn the_committed_document_is_the_one_that_is_served() {
    let server = Server::start().await;
    let document = reqwest::get(format!("{}/openapi.json", server.url)).await.unwrap();
    assert_eq!(document.headers()["content-type"], "application/json");
    let committed = include_str!("../../../openapi.json");
    assert!(
        document.text().await.unwrap() == committed,
        "openapi.json is not up to date: run `just openapi` and commit it"
    );
}

/// Every operation has what a reader and a generator need.
#[test]
fn every_operation_is_told_of_in_full() {
    let document: Value = serde_json::from_str(&portcullis_server::openapi()).unwrap();
    let mut ids = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let at = format!("{method} {path}");
            let text = |member: &str| operation[member].as_str().unwrap_or_default().len();
            assert!(text("summary") > 5 && text("description") > 5, "{at} has no summary or description");
            assert!(!operation["security"].as_array().unwrap().is_empty(), "{at} does not say who may call");
            assert!(operation["tags"][0].as_str().is_some_and(|tag| !tag.is_empty()), "{at} is of no part");
            ids.push(operation["operationId"].as_str().unwrap());
            let responses = operation["responses"].as_object().unwrap();
            let (good, failures): (Vec<_>, Vec<_>) = responses.iter().partition(|(status, _)| status.starts_with('2'));
            assert_eq!(good.len(), 1, "{at}");
            assert!(good[0].1["content"]["application/json"].get("example").is_some(), "{at} has no example");
            assert!(failures.len() >= 4, "{at} tells of no failures");
            if let Some(body) = operation.get("requestBody") {
                assert!(body["content"]["application/json"].get("example").is_some(), "{at} has no example to send");
            }
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), count), (operations().len(), operations().len()));
}

/// Every reference leads somewhere, and no schema is there for nothing.
#[test]
fn every_reference_leads_somewhere_and_everything_is_referred_to() {
    let text = portcullis_server::openapi();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut referred: Vec<&str> =
        text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    referred.sort_unstable();
    referred.dedup();
    for pointer in &referred {
        assert!(document.pointer(pointer).is_some(), "{pointer} is not there");
    }
    for kind in ["schemas", "responses", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let pointer = format!("/components/{kind}/{name}");
            assert!(kind == "responses" || referred.contains(&pointer.as_str()), "nothing refers to {pointer}");
        }
    }
}

/// The examples are what the server would take: each passes for the schema's own members.
#[test]
fn every_code_that_a_problem_can_have_has_its_page() {
    for code in portcullis_api::problem::CODES {
        assert!(!code.meaning.is_empty() && !code.remedy.is_empty() && !code.title.is_empty(), "{}", code.code);
        assert_eq!(portcullis_api::problem::CODES.iter().filter(|other| other.code == code.code).count(), 1);
    }
}
