//! `/auth/{gate}` in the dialects of Caddy and Traefik, nginx, and Envoy by HTTP, as those gateways send their requests.

use reqwest::Method;
use serde_json::{Value, json};

use super::Guarded;
use crate::support::{Answer, Server, check_problem};

const IDENTITY: [&str; 5] = ["key-id", "user-id", "business-id", "businesses", "permissions"];

/// One way in which a gateway asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gateway {
    Caddy,
    Nginx,
    Envoy,
}

const ALL: [Gateway; 3] = [Gateway::Caddy, Gateway::Nginx, Gateway::Envoy];

impl Gateway {
    /// The answer to a gateway whose client sent this.
    async fn ask(self, server: &Server, request: &str, headers: &[(&str, &str)]) -> Answer {
        let (method, target) = request.split_once(' ').unwrap();
        let asked: Method = if self == Self::Envoy { method.parse().unwrap() } else { Method::GET };
        let path = match self {
            Self::Caddy => "/auth/crm?gate=other&needs=nothing".to_owned(),
            Self::Nginx => "/auth/crm/nginx".to_owned(),
            Self::Envoy => format!("/auth/crm/envoy{target}"),
        };
        let mut asking = server.client.request(asked, format!("{}{path}", server.url));
        asking = match self {
            Self::Caddy => asking.header("x-forwarded-method", method).header("x-forwarded-uri", target),
            Self::Nginx => asking.header("x-original-method", method).header("x-original-uri", target),
            Self::Envoy => asking,
        };
        for (name, value) in headers {
            asking = asking.header(*name, *value);
        }
        Answer::to(asking).await
    }

    /// The status that the gateway gives its client, and the problem.
    fn told(self, answer: &Answer) -> (u16, Value) {
        if self != Self::Nginx || answer.status == 200 {
            return (answer.status, answer.body.clone());
        }
        assert_eq!(answer.text, "", "nginx drops bodies");
        let status: u16 = answer.header("x-auth-status").unwrap().parse().unwrap();
        let seen = if status == 401 { 401 } else { 403 };
        assert_eq!(answer.status, seen);
        (status, serde_json::from_str(answer.header("x-auth-problem").unwrap()).unwrap())
    }

    async fn refuses(
        self,
        server: &Server,
        request: &str,
        headers: &[(&str, &str)],
        expected: (u16, &str, Value),
    ) -> Answer {
        let answer = self.ask(server, request, headers).await;
        let (status, problem) = self.told(&answer);
        let seen = (status, problem["code"].as_str().unwrap_or_default(), problem["reason"].clone());
        assert_eq!(seen, expected, "{self:?} {request} {headers:?}");
        check_problem(&problem, status);
        assert_eq!(problem["request_id"].as_str(), answer.header("x-request-id"));
        answer
    }
}

fn identity(answer: &Answer) -> Vec<&str> {
    IDENTITY.iter().map(|name| answer.header(&format!("x-portcullis-{name}")).expect(name)).collect()
}

#[tokio::test]
async fn allow_is_exactly_200_and_tells_who_calls() {
    let guarded = Guarded::start().await;
    let Guarded { server, user, business, key } = &guarded;
    let bearer = format!("Bearer {}", key.token);
    let all = "calls:read,calls:write,leads:read,leads:write,agents:read,agents:write,analytics:read,contacts:read,\
               contacts:write,knowledge_base:read,knowledge_base:write,integrations:read,integrations:write";
    for gateway in ALL {
        for (request, named) in [
            ("GET /api/contacts", ""),
            ("POST /api/contacts?x=/../y", ""),
            (&format!("DELETE /api/v1/business/{business}/contacts/7") as &str, business as &str),
            ("GET /api/whoami", ""),
        ] {
            for credential in [("authorization", &bearer as &str), ("x-api-key", &key.token)] {
                let answer = gateway.ask(server, request, &[credential]).await;
                assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{gateway:?} {request}");
                let everywhere = if named.is_empty() { "*" } else { named };
                assert_eq!(identity(&answer), [&key.id, user, named, everywhere, all], "{gateway:?} {request}");
                assert_eq!(answer.header("ratelimit-policy").map(|text| text.contains("\"minute\"")), Some(true));
            }
        }
    }
}

#[tokio::test]
async fn attack_09_every_identity_header_is_sent_empty_where_nothing_is_known() {
    let guarded = Guarded::start().await;
    for gateway in ALL {
        for headers in [&[][..], &[("authorization", "Bearer nonsense")], &[("x-portcullis-user-id", "usr_spoofed")]] {
            let answer = gateway.ask(&guarded.server, "GET /health", headers).await;
            assert_eq!(answer.status, 200);
            assert_eq!(identity(&answer), [""; 5], "{gateway:?}");
        }
    }
}

#[tokio::test]
async fn each_kind_of_denial_has_its_code() {
    let guarded = Guarded::start().await;
    let Guarded { server, user, business, key } = &guarded;
    let foreign = server.business("Foreign").await;
    let reads = guarded.may(&["contacts:read"]).await;
    let gone = guarded.may(&["contacts:read"]).await;
    server.revoke(user, &gone).await;
    let none = Value::Null;
    for gateway in ALL {
        let refuses = async |request: &str, token: &str, status, code: &str, reason: Value| {
            gateway.refuses(server, request, &[("x-api-key", token)], (status, code, reason)).await
        };
        let missing =
            gateway.refuses(server, "GET /api/contacts", &[], (401, "INVALID_API_KEY", json!("missing"))).await;
        assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"portcullis\""));
        let revoked = refuses("GET /api/contacts", &gone.token, 401, "INVALID_API_KEY", json!("revoked")).await;
        let challenge = revoked.header("www-authenticate").unwrap();
        assert_eq!(challenge, "Bearer realm=\"portcullis\", error=\"invalid_token\"");
        refuses("GET /api/contacts", "ak_live_x", 401, "INVALID_API_KEY", json!("malformed")).await;
        let lacks = refuses("POST /api/contacts", &reads.token, 403, "PERMISSION_DENIED", json!("permission")).await;
        let scope = "Bearer realm=\"portcullis\", error=\"insufficient_scope\", scope=\"contacts:write\"";
        assert_eq!(lacks.header("www-authenticate"), Some(scope));
        let elsewhere = format!("GET /api/v1/business/{foreign}/contacts");
        refuses(&elsewhere, &key.token, 403, "PERMISSION_DENIED", json!("business")).await;
        refuses("GET /api/v1/business/nonsense/contacts", &key.token, 403, "PERMISSION_DENIED", json!("business"))
            .await;
        refuses("GET /api/v1/user", &key.token, 403, "PERMISSION_DENIED", json!("user_management")).await;
        refuses("GET /elsewhere", &key.token, 403, "PERMISSION_DENIED", json!("no_rule")).await;
        refuses("PATCH /api/whoami", &key.token, 403, "PERMISSION_DENIED", json!("no_rule")).await;
        // A business that a rule takes from a header has no default.
        refuses("GET /api/calls", &key.token, 400, "INVALID_REQUEST", none.clone()).await;
        let named = |id: &str| vec![("x-api-key", key.token.clone()), ("x-business-id", id.to_owned())];
        for (id, status) in [(business.as_str(), 200), (&foreign, 403), ("x", 403)] {
            let headers = named(id);
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = gateway.ask(server, "GET /api/calls", &headers).await;
            assert_eq!(if status == 200 { answer.status } else { gateway.told(&answer).0 }, status, "{id}");
        }
    }
    server.op_post(&format!("/businesses/{business}/disable"), &json!({})).await.ok();
    for gateway in ALL {
        let request = format!("GET /api/v1/business/{business}/contacts");
        let headers = [("x-api-key", key.token.as_str())];
        gateway.refuses(server, &request, &headers, (403, "BUSINESS_DISABLED", none.clone())).await;
    }
    server.op_post(&format!("/users/{user}/disable"), &json!({})).await.ok();
    for gateway in ALL {
        let headers = [("x-api-key", key.token.as_str())];
        gateway.refuses(server, "GET /api/whoami", &headers, (403, "USER_DISABLED", none.clone())).await;
    }
}

#[tokio::test]
async fn a_limit_is_429_with_retry_after() {
    for gateway in ALL {
        let guarded = Guarded::with("rate_limit_per_minute = 2\nrate_limit_per_second = 2\n").await;
        let headers = [("x-api-key", guarded.key.token.as_str())];
        for left in ["1", "0"] {
            let answer = gateway.ask(&guarded.server, "GET /api/contacts", &headers).await;
            assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (200, Some(left)));
        }
        let expected = (429, "RATE_LIMITED", Value::Null);
        let answer = gateway.refuses(&guarded.server, "GET /api/contacts", &headers, expected).await;
        assert_eq!(answer.header("retry-after"), Some("60"), "{gateway:?}");
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
    }
}

#[tokio::test]
async fn a_revoke_is_in_force_at_the_next_request() {
    let guarded = Guarded::start().await;
    let Guarded { server, user, .. } = &guarded;
    for gateway in ALL {
        let key = guarded.may(&["contacts:read"]).await;
        let headers = [("x-api-key", key.token.as_str())];
        assert_eq!(gateway.ask(server, "GET /api/contacts", &headers).await.status, 200);
        server.revoke(user, &key).await;
        gateway.refuses(server, "GET /api/contacts", &headers, (401, "INVALID_API_KEY", json!("revoked"))).await;
    }
}

#[tokio::test]
async fn attack_01_and_02_two_credentials_are_400() {
    let guarded = Guarded::start().await;
    let token = guarded.key.token.as_str();
    let bearer = format!("Bearer {token}");
    for gateway in ALL {
        for headers in [
            [("authorization", bearer.as_str()), ("authorization", &bearer)],
            [("authorization", &bearer), ("x-api-key", token)],
            [("x-api-key", token), ("x-api-key", token)],
        ] {
            let expected = (400, "AMBIGUOUS_CREDENTIALS", Value::Null);
            gateway.refuses(&guarded.server, "GET /api/contacts", &headers, expected).await;
        }
        // The dashboard's own cookie goes along wherever the host is the same; here it is no credential, and no second one.
        let cookie = ("cookie", "__Host-portcullis_session=ps_live_x");
        let answer = gateway.ask(&guarded.server, "GET /api/contacts", &[cookie, ("x-api-key", token)]).await;
        assert_eq!(answer.status, 200);
        let expected = (401, "INVALID_API_KEY", json!("missing"));
        gateway.refuses(&guarded.server, "GET /api/contacts", &[cookie], expected).await;
    }
}

#[tokio::test]
async fn attack_06_a_token_in_the_query_is_none_unless_the_gate_says_so() {
    let guarded = Guarded::start().await;
    let Guarded { server, key, .. } = &guarded;
    for gateway in ALL {
        let request = format!("GET /api/contacts?api_key={}", key.token);
        gateway.refuses(server, &request, &[], (401, "INVALID_API_KEY", json!("missing"))).await;
    }
    let opened = super::GATE.replace("[gate.crm]", "[gate.crm]\ntoken_parameter = \"api_key\"");
    let server = Server::with(&opened).await;
    let (user, _) = server.owner_of("ann@example.com", "Dental").await;
    let key = server.key(&user, &json!({"name": "Webhook"})).await;
    for gateway in ALL {
        let request = format!("GET /api/contacts?a=b&api_key={}", key.token);
        assert_eq!(gateway.ask(&server, &request, &[]).await.status, 200);
        for (request, headers, expected) in [
            (request.clone(), vec![("x-api-key", key.token.as_str())], (400, "AMBIGUOUS_CREDENTIALS", Value::Null)),
            (format!("{request}&api_key=x"), vec![], (400, "AMBIGUOUS_CREDENTIALS", Value::Null)),
            ("GET /api/contacts?api_key=".to_owned(), vec![], (401, "INVALID_API_KEY", json!("malformed"))),
            ("GET /api/contacts?api_key=%00".to_owned(), vec![], (401, "INVALID_API_KEY", json!("malformed"))),
        ] {
            gateway.refuses(&server, &request, &headers, expected).await;
        }
    }
}

#[tokio::test]
async fn attack_10_one_set_of_headers_from_a_trusted_address_and_no_other() {
    let guarded = Guarded::start().await;
    let Guarded { server, key, .. } = &guarded;
    let credential = ("x-api-key", key.token.as_str());
    let both = [credential, ("x-original-uri", "/health"), ("x-original-method", "GET")];
    Gateway::Caddy.refuses(server, "GET /elsewhere", &both, (400, "INVALID_REQUEST", Value::Null)).await;
    let both = [credential, ("x-forwarded-uri", "/health")];
    Gateway::Nginx.refuses(server, "GET /elsewhere", &both, (400, "INVALID_REQUEST", Value::Null)).await;
    let twice = [credential, ("x-forwarded-uri", "/health")];
    Gateway::Caddy.refuses(server, "GET /elsewhere", &twice, (400, "INVALID_REQUEST", Value::Null)).await;
    let prefix = [credential, ("x-forwarded-prefix", "/health"), ("x_forwarded_uri", "/health")];
    Gateway::Caddy.refuses(server, "GET /elsewhere", &prefix, (403, "PERMISSION_DENIED", json!("no_rule"))).await;
    let asking = server.request_root("/auth/crm").header("x-api-key", &key.token);
    server.send(asking).await.fails(400, "INVALID_REQUEST", None);
    server.send(server.request_root("/auth/none")).await.fails(503, "UNAVAILABLE", None);

    let untrusting = Server::with(&super::GATE.replace("\"127.0.0.1\", ", "")).await;
    for gateway in [Gateway::Caddy, Gateway::Envoy] {
        let answer = gateway.ask(&untrusting, "GET /health", &[("x-forwarded-for", "10.1.0.1")]).await;
        answer.fails(403, "PERMISSION_DENIED", Some("untrusted_proxy"));
    }
}

#[tokio::test]
async fn attack_11_the_clients_address_is_the_first_one_that_is_not_trusted_from_the_right() {
    let guarded = Guarded::start().await;
    let Guarded { server, user, .. } = &guarded;
    let wanted = json!({"name": "office", "allowed_ips": ["203.0.113.0/24", "2001:db8::/32"]});
    let key = server.key(user, &wanted).await;
    for (forwarded, status) in [
        (&["203.0.113.7"][..], 200),
        (&["203.0.113.7:4711"], 200),
        (&["[2001:db8::1]:4711"], 200),
        (&["::ffff:203.0.113.7"], 200),
        (&["198.51.100.1, 203.0.113.7, 10.1.2.3"], 200),
        (&["198.51.100.1", "203.0.113.7", "10.1.2.3"], 200),
        // The client's own, left of the one that the gateway wrote.
        (&["203.0.113.7, 198.51.100.1"], 403),
        (&["203.0.113.7", "198.51.100.1"], 403),
        (&["203.0.113.7, nonsense"], 403),
        (&["203.0.113.7, "], 403),
        (&[""], 403),
        (&[], 403),
    ] {
        let mut headers: Vec<_> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
        headers.push(("x-api-key", &key.token));
        let answer = Gateway::Caddy.ask(server, "GET /api/contacts", &headers).await;
        assert_eq!(answer.status, status, "{forwarded:?} {}", answer.text);
    }
    // Portcullis's own API believes them too, for it may stand behind the same gateway.
    let asking =
        server.request(Method::GET, "/whoami").bearer_auth(&key.token).header("x-forwarded-for", "203.0.113.9");
    server.send(asking).await.ok();
}

#[tokio::test]
async fn attack_12_and_13_path_tricks_and_methods() {
    let guarded = Guarded::start().await;
    let Guarded { server, key, .. } = &guarded;
    let headers = [("x-api-key", key.token.as_str()), ("x-http-method-override", "GET"), ("x-method-override", "GET")];
    for target in [
        "/health/../api/v1/user",
        "/health/%2e%2e/api/v1/user",
        "//health",
        "/health%2f",
        "/health;x",
        "/health%3b",
        "/health%00",
        "/health%252e",
        "/health\\..\\x",
        "/health%5c",
        "/%",
        "",
        "http://api/health",
        "health",
    ] {
        for gateway in [Gateway::Caddy, Gateway::Nginx] {
            let expected = (403, "PERMISSION_DENIED", json!("path"));
            gateway.refuses(server, &format!("GET {target}"), &headers, expected).await;
        }
    }
    for gateway in ALL {
        for request in ["GET /Health", "POST /health", "OPTIONS /api/contacts", "FOO /api/contacts", "GET /health/x"] {
            let expected = (403, "PERMISSION_DENIED", json!("no_rule"));
            gateway.refuses(server, request, &headers, expected).await;
        }
    }
    let lower =
        Gateway::Nginx.refuses(server, "get /api/contacts", &headers, (403, "PERMISSION_DENIED", json!("no_rule")));
    lower.await;
    let reads = guarded.may(&["contacts:read"]).await;
    let headers = [("x-api-key", reads.token.as_str()), ("x-http-method-override", "GET")];
    for gateway in ALL {
        gateway.refuses(server, "POST /api/contacts", &headers, (403, "PERMISSION_DENIED", json!("permission"))).await;
    }
}

#[tokio::test]
async fn what_a_gateway_asks_is_counted_and_leaves_no_trace_in_the_audit_log() {
    let guarded = Guarded::start().await;
    let Guarded { server, key, user, .. } = &guarded;
    let before = server.op_get("/audit-events").await.ok();
    let headers = [("x-api-key", key.token.as_str())];
    for request in ["GET /api/contacts", "GET /elsewhere"] {
        Gateway::Caddy.ask(server, request, &headers).await;
    }
    assert_eq!(server.op_get("/audit-events").await.ok(), before);
    let usage = server.op_get(&format!("/users/{user}/api-keys/{}/usage", key.id)).await.ok();
    assert_eq!(usage["totals"], json!({"VALID": 1, "PERMISSION_DENIED": 1}));
    let metrics = server.op_metrics().await;
    assert!(metrics.contains("decisions_total{code=\"VALID\",surface=\"forward_auth\"} 1"), "{metrics}");
}

/// Traefik 3 cannot be had where the tests run. This is what its `forwardAuth` sends with `gateways/traefik`, by its documentation: a GET
/// without a body, the credential of the client, and what it knows of the request.
#[tokio::test]
async fn the_request_of_traefik_is_answered() {
    let shipped = include_str!("../../../../gateways/traefik/dynamic.yml");
    assert!(shipped.contains("address: \"http://127.0.0.1:7373/auth/crm\"\n"), "the file asks where the test asks");
    let guarded = Guarded::start().await;
    let Guarded { server, user, key, .. } = &guarded;
    let ask = async |method: &str, uri: &str, token: &str| {
        let asking = server
            .request_root("/auth/crm")
            .header("authorization", format!("Bearer {token}"))
            .header("x-forwarded-for", "203.0.113.7")
            .header("x-forwarded-method", method)
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-port", "443")
            .header("x-forwarded-host", "api.example.com")
            .header("x-forwarded-uri", uri)
            .header("accept-encoding", "gzip")
            .header("user-agent", "");
        Answer::to(asking).await
    };
    let allowed = ask("POST", "/api/contacts?page=2", &key.token).await;
    assert_eq!((allowed.status, identity(&allowed)[1]), (200, user.as_str()));
    ask("GET", "/elsewhere", &key.token).await.fails(403, "PERMISSION_DENIED", Some("no_rule"));
    let office = server.key(user, &json!({"name": "office", "allowed_ips": ["203.0.113.7"]})).await;
    assert_eq!(ask("GET", "/api/contacts", &office.token).await.status, 200);
}
