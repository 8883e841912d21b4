//! AuthZEN: `/access/v1/evaluation` and `/evaluations`.

use serde_json::{Value, json};

use super::Guarded;
use crate::support::{Answer, Server};

async fn post(server: &Server, path: &str, body: &Value) -> Answer {
    let request = server.client.post(format!("{}/access/v1/{path}", server.url)).bearer_auth(&server.operator);
    server.send(request.json(body)).await
}

fn question(kind: &str, id: &str, action: &str, resource: &str) -> Value {
    json!({"subject": {"type": kind, "id": id}, "action": {"name": action}, "resource": {"type": resource, "id": "123"}})
}

#[tokio::test]
async fn the_decision_is_the_same_in_other_words() {
    let guarded = Guarded::start().await;
    let Guarded { server, user, business, .. } = &guarded;
    let foreign = server.business("Foreign").await;
    let key = guarded.may(&["contacts:read"]).await;
    for (kind, id) in [("api_key_token", &key.token), ("api_key", &key.id)] {
        let ask = async |question: Value| {
            let answer = post(server, "evaluation", &question).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            (answer.body["decision"].as_bool().unwrap(), answer.body["context"].clone())
        };
        let (yes, context) = ask(question(kind, id, "read", "contacts")).await;
        assert!(yes);
        assert_eq!(
            (&context["code"], &context["key_id"], &context["user_id"]),
            (&json!("VALID"), &json!(key.id), &json!(user))
        );
        assert_eq!(context["businesses"], json!("*"));
        let mut named = question(kind, id, "read", "contacts");
        named["resource"]["properties"] = json!({"business_id": business, "color": "green"});
        named["context"] = json!({"time": "now", "ip_address": "203.0.113.7"});
        named["futures"] = json!([1]);
        let (yes, context) = ask(named.clone()).await;
        assert_eq!((yes, &context["business_id"]), (true, &json!(business)));
        named["resource"]["properties"]["business_id"] = json!(foreign);
        for (question, reason) in [
            (named, "business"),
            (question(kind, id, "write", "contacts"), "permission"),
            (question(kind, id, "delete", "contacts"), "no_rule"),
            (question(kind, id, "read", "moon"), "no_rule"),
            (question(kind, id, "read", "account"), "user_management"),
        ] {
            let (yes, context) = ask(question.clone()).await;
            assert!(!yes, "{question}");
            assert_eq!(
                (&context["code"], &context["reason"]),
                (&json!("PERMISSION_DENIED"), &json!(reason)),
                "{question}"
            );
        }
    }
    for (kind, id) in [("api_key_token", "ak_live_x"), ("api_key", "key_00000000000000000000000001"), ("api_key", "x")]
    {
        let answer = post(server, "evaluation", &question(kind, id, "read", "contacts")).await.body;
        assert_eq!((&answer["decision"], &answer["context"]["code"]), (&json!(false), &json!("INVALID_API_KEY")));
    }
}

#[tokio::test]
async fn a_route_is_asked_about_by_its_gate() {
    let guarded = Guarded::start().await;
    let Guarded { server, business, key, .. } = &guarded;
    let route = |method: &str, path: &str, properties: Value| {
        json!({"subject": {"type": "api_key_token", "id": key.token}, "action": {"name": method},
            "resource": {"type": "route", "id": path, "properties": properties}})
    };
    let gate = json!({"gate": "crm"});
    let ask = async |question: &Value| post(server, "evaluation", question).await;
    assert_eq!(ask(&route("POST", "/api/contacts", gate.clone())).await.body["decision"], true);
    let answer = ask(&route("POST", "/api/contacts/../calls", gate.clone())).await.body;
    assert_eq!((&answer["decision"], &answer["context"]["reason"]), (&json!(false), &json!("path")));
    ask(&route("GET", "/api/calls", gate)).await.fails(400, "INVALID_REQUEST", None);
    let named = route("GET", "/api/calls", json!({"gate": "crm", "business_id": business}));
    assert_eq!(ask(&named).await.body["context"]["business_id"], json!(business));
    ask(&route("GET", "/api/contacts", json!({}))).await.fails(400, "INVALID_REQUEST", None);
    ask(&route("GET", "/api/contacts", Value::Null)).await.fails(400, "INVALID_REQUEST", None);
    // A business beside a rule that takes none would go unheard.
    let unheard = json!({"gate": "crm", "business_id": business});
    ask(&route("GET", "/api/contacts", unheard)).await.fails(400, "INVALID_REQUEST", None);
    ask(&route("GET", "/api/contacts", json!({"gate": "none"}))).await.fails(400, "INVALID_REQUEST", None);
}

#[tokio::test]
async fn a_resource_of_the_catalogue_is_that_whatever_it_is_called() {
    let server = Server::with("[catalogue]\naccount = [\"read\"]\nroute = [\"read\"]\ncontacts = [\"read\"]\n").await;
    let (user, _) = server.owner_of("ann@example.com", "Dental").await;
    let wanted = json!({"name": "K", "permissions": ["account:read"], "user_management": true});
    let key = server.key(&user, &wanted).await;
    for (resource, action, expected) in
        [("account", "read", true), ("account", "write", false), ("route", "read", false)]
    {
        let answer = post(&server, "evaluation", &question("api_key_token", &key.token, action, resource)).await.body;
        assert_eq!(answer["decision"], expected, "{resource} {action}");
    }
}

#[tokio::test]
async fn several_questions_share_what_they_have_in_common() {
    let guarded = Guarded::start().await;
    let key = guarded.may(&["contacts:read", "calls:read"]).await;
    let ask = async |semantic: Option<&str>, resources: &[&str]| {
        let evaluations: Vec<_> =
            resources.iter().map(|resource| json!({"resource": {"type": resource, "id": "1"}})).collect();
        let mut body = question("api_key_token", &key.token, "read", "leads");
        body["evaluations"] = json!(evaluations);
        body["options"] = semantic.map_or(json!({}), |semantic| json!({"evaluations_semantic": semantic, "other": 1}));
        let answer = post(&guarded.server, "evaluations", &body).await.body;
        let decisions = answer["evaluations"].as_array().unwrap().iter();
        decisions.map(|decision| decision["decision"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    let all = ["contacts", "leads", "calls", "agents"];
    assert_eq!(ask(None, &all).await, [true, false, true, false]);
    assert_eq!(ask(Some("execute_all"), &all).await, [true, false, true, false]);
    assert_eq!(ask(Some("deny_on_first_deny"), &all).await, [true, false]);
    assert_eq!(ask(Some("permit_on_first_permit"), &["leads", "calls", "contacts"]).await, [false, true]);
    // Without a list it is one question, answered as one.
    let one = post(&guarded.server, "evaluations", &question("api_key_token", &key.token, "read", "calls")).await.body;
    assert_eq!((&one["decision"], one.get("evaluations")), (&json!(true), None));
    // What is wrong with one question is told with its answer.
    let body = json!({"action": {"name": "read"}, "evaluations": [
        {"subject": {"type": "api_key_token", "id": key.token}, "resource": {"type": "calls", "id": "1"}},
        {"resource": {"type": "calls", "id": "1"}},
    ]});
    let answer = post(&guarded.server, "evaluations", &body).await.body["evaluations"].clone();
    assert_eq!((&answer[0]["decision"], &answer[1]["decision"]), (&json!(true), &json!(false)));
    assert_eq!(answer[1]["context"]["error"], json!({"status": 400, "message": "The question has no `subject`."}));
    let many = json!({"evaluations": vec![json!({}); 101]});
    post(&guarded.server, "evaluations", &many).await.fails(400, "INVALID_REQUEST", None);
}

#[tokio::test]
async fn what_is_no_question_is_told_so() {
    let guarded = Guarded::start().await;
    let Guarded { server, key, .. } = &guarded;
    let whole = question("api_key_token", &key.token, "read", "contacts");
    for member in ["subject", "action", "resource"] {
        let mut part = whole.clone();
        part.as_object_mut().unwrap().remove(member);
        post(server, "evaluation", &part).await.fails(400, "INVALID_REQUEST", None);
    }
    for wrong in [json!([]), json!({"subject": "me"}), question("user", "ann", "read", "contacts")] {
        post(server, "evaluation", &wrong).await.fails(400, "INVALID_REQUEST", None);
    }
    let mut elsewhere = whole.clone();
    elsewhere["context"] = json!({"ip_address": "here"});
    post(server, "evaluation", &elsewhere).await.fails(400, "INVALID_REQUEST", None);
    let plain = server.client.post(format!("{}/access/v1/evaluation", server.url)).bearer_auth(&server.operator);
    server.send(plain.body(whole.to_string())).await.fails(415, "UNSUPPORTED_MEDIA_TYPE", None);
    for token in [&key.token as &str, "op_live_x"] {
        let request = server.client.post(format!("{}/access/v1/evaluation", server.url)).bearer_auth(token);
        server.send(request.json(&whole)).await.fails(
            401,
            "INVALID_API_KEY",
            if token == key.token { Some("unknown") } else { Some("malformed") },
        );
    }
}

#[tokio::test]
async fn the_asker_hears_its_own_request_id_and_finds_the_way() {
    let guarded = Guarded::start().await;
    let server = &guarded.server;
    let request = server.client.post(format!("{}/access/v1/evaluation", server.url)).bearer_auth(&server.operator);
    let request = request.header("x-request-id", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716");
    let answer = Answer::to(request.json(&question("api_key", "x", "read", "contacts"))).await;
    assert_eq!(answer.header("x-request-id"), Some("bfe9eb29-ab87-4ca3-be83-a1d5d8305716"));
    let told = server.send(server.request_root("/.well-known/authzen-configuration")).await.body;
    assert_eq!(told["policy_decision_point"], server.url);
    assert_eq!(told["access_evaluation_endpoint"], format!("{}/access/v1/evaluation", server.url));
    assert_eq!(told["access_evaluations_endpoint"], format!("{}/access/v1/evaluations", server.url));
}
