//! What every path answers to one who has no credential, a made-up one, or a customer's key where an operator is meant.
//!
//! The table is the whole truth about what is open. A route that `routes.rs` has and the table has not fails the test.

use reqwest::Method;
use serde_json::json;

use crate::support::Server;

/// Who a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Everybody,
    /// Any good key.
    AnyKey,
    /// An API key with user management.
    OwnAccount,
    Operators,
}

const PATHS: [(&str, &[&str], For); 31] = [
    ("/verify", &["POST"], For::Operators),
    ("/verify/batch", &["POST"], For::Operators),
    ("/whoami", &["GET"], For::AnyKey),
    ("/catalogue", &["GET"], For::AnyKey),
    ("/user", &["GET"], For::OwnAccount),
    ("/user/api-keys", &["GET", "POST"], For::OwnAccount),
    ("/user/api-keys/{key_id}", &["GET", "PATCH"], For::OwnAccount),
    ("/user/api-keys/{key_id}/revoke", &["POST"], For::OwnAccount),
    ("/user/api-keys/{key_id}/rotate", &["POST"], For::OwnAccount),
    ("/users", &["GET", "POST"], For::Operators),
    ("/users/{user_id}", &["GET"], For::Operators),
    ("/users/{user_id}/disable", &["POST"], For::Operators),
    ("/users/{user_id}/enable", &["POST"], For::Operators),
    ("/users/{user_id}/api-keys", &["GET", "POST"], For::Operators),
    ("/users/{user_id}/api-keys/{key_id}", &["GET", "PATCH"], For::Operators),
    ("/users/{user_id}/api-keys/{key_id}/revoke", &["POST"], For::Operators),
    ("/users/{user_id}/api-keys/{key_id}/rotate", &["POST"], For::Operators),
    ("/operator-keys", &["GET", "POST"], For::Operators),
    ("/operator-keys/{operator_key_id}/revoke", &["POST"], For::Operators),
    ("/businesses", &["GET", "POST"], For::Operators),
    ("/businesses/{business_id}", &["GET"], For::Operators),
    ("/businesses/{business_id}/disable", &["POST"], For::Operators),
    ("/businesses/{business_id}/enable", &["POST"], For::Operators),
    ("/businesses/{business_id}/roles", &["GET"], For::Operators),
    ("/audit-events", &["GET"], For::Operators),
    ("/businesses/{business_id}/audit-events", &["GET"], For::Operators),
    ("/businesses/{business_id}/members", &["GET"], For::Operators),
    ("/businesses/{business_id}/members/{user_id}", &["PUT", "DELETE"], For::Operators),
    ("/nothing-here", &[], For::Everybody),
    ("/livez", &["GET"], For::Everybody),
    ("/readyz", &["GET"], For::Everybody),
];

/// Parts of `routes.rs` that are mounted under other paths, which the table has whole.
const MOUNTED: [&str; 4] = ["/", "/{key_id}", "/{key_id}/revoke", "/{key_id}/rotate"];

#[test]
fn every_route_is_in_the_table() {
    let source = include_str!("../src/routes.rs");
    let listed = |path: &str| PATHS.iter().find(|(known, ..)| *known == path);
    let mut seen = 0;
    for route in source.split(".route(").skip(1) {
        let (path, rest) = route.trim_start().strip_prefix('"').and_then(|route| route.split_once('"')).unwrap();
        let rest = rest.lines().take_while(|line| !line.contains("fn ")).collect::<String>();
        let methods = rest.split(".nest(").next().unwrap();
        seen += 1;
        if MOUNTED.contains(&path) {
            continue;
        }
        let (_, known, _) = listed(path).unwrap_or_else(|| panic!("{path} is not in the table"));
        let said = ["get(", "post(", "put(", "patch(", "delete("].iter().filter(|method| methods.contains(**method));
        let said: Vec<String> = said.map(|method| method.trim_end_matches('(').to_uppercase()).collect();
        assert_eq!(known, &said, "{path}");
    }
    assert!(seen >= 26, "{seen}");
}

fn filled(path: &str) -> String {
    path.replace("{user_id}", "usr_00000000000000000000000001")
        .replace("{key_id}", "key_00000000000000000000000001")
        .replace("{operator_key_id}", "opk_00000000000000000000000001")
        .replace("{business_id}", "biz_00000000000000000000000001")
}

#[tokio::test]
async fn nothing_answers_to_nobody_but_what_is_for_everybody() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let plain = server.key(&ann, &json!({"name": "Plain"})).await;
    for (path, methods, who) in PATHS {
        if who == For::Everybody {
            continue;
        }
        for method in methods {
            let ask = |token: Option<&str>| {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let request = server.request(method, &filled(path)).json(&json!({}));
                server.send(if let Some(token) = token { request.bearer_auth(token) } else { request })
            };
            ask(None).await.fails(401, "INVALID_API_KEY", Some("missing"));
            ask(Some("ak_live_x")).await.fails(401, "INVALID_API_KEY", Some("malformed"));
            let customer = ask(Some(&plain.token)).await;
            match who {
                // Attack 33: a customer's key on the platform's paths is told no more than a made-up one.
                For::Operators => customer.fails(401, "INVALID_API_KEY", Some("unknown")),
                For::OwnAccount => customer.fails(403, "PERMISSION_DENIED", Some("user_management")),
                For::AnyKey | For::Everybody => assert_eq!(customer.status, 200, "{path}"),
            }
            if who == For::OwnAccount {
                let operator = ask(Some(&server.operator)).await;
                operator.fails(403, "PERMISSION_DENIED", Some("user_management"));
            }
        }
    }
    server.send(server.request(Method::GET, "/nothing-here")).await.fails(404, "NOT_FOUND", None);
}
