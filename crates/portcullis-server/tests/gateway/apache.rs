//! Apache with mod_auth_openidc, as `gateways/apache` configures it: an OAuth 2.0 resource server that introspects.

use portcullis_engines::Kind;

use super::Guarded;
use super::api::Line;
use super::programs::Setup;
use super::tricks::{reads_as_account, smuggled, tricks};

/// The one place that its rules open.
fn contacts(guarded: &Guarded) -> String {
    format!("/api/v1/business/{}/contacts", guarded.business)
}

async fn lets_through_who_may(setup: &Setup) {
    let Guarded { user, key, .. } = &setup.guarded;
    let path = contacts(&setup.guarded);
    let (bearer, token) = (format!("Bearer {}", key.token), format!("Token {}", key.token));
    for credential in [("authorization", &bearer), ("authorization", &token), ("x-api-key", &key.token)] {
        for request in [format!("GET {path}?x=1"), format!("POST {path}")] {
            let answer = setup.ask(&request, &[(credential.0, credential.1)]).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, "the API's answer"), "{}", setup.gateway.log());
            let seen = setup.api.one();
            assert_eq!(format!("{} {}", seen.method, seen.target), request);
            assert_eq!(seen.headers["x-portcullis-user-id"], user.as_str());
            assert_eq!(seen.headers["x-portcullis-key-id"], key.id.as_str());
            assert_eq!(seen.headers["x-portcullis-businesses"], "*");
            assert!(!seen.headers.contains_key("authorization") && !seen.headers.contains_key("x-api-key"));
        }
    }
}

async fn refuses_who_may_not(setup: &Setup) {
    let guarded = &setup.guarded;
    let (get, post) = (format!("GET {}", contacts(guarded)), format!("POST {}", contacts(guarded)));
    let reads = guarded.may(&["contacts:read", "calls:write"]).await;
    let refused = async |request: &str, headers: &[(&str, &str)], status: u16| {
        let answer = setup.ask(request, headers).await;
        assert_eq!(answer.status, status, "{request} {}", setup.gateway.log());
        assert!(setup.api.seen().is_empty(), "{request} reached the API");
    };
    refused(&get, &[], 401).await;
    refused(&get, &[("x-api-key", "ak_live_x")], 401).await;
    refused(&post, &[("x-api-key", &reads.token)], 403).await;
    refused("GET /elsewhere", &[("x-api-key", &reads.token)], 403).await;
    let bearer = format!("Bearer {}", guarded.key.token);
    refused(&get, &[("authorization", &bearer), ("x-api-key", &reads.token)], 400).await;
    let revoked = [("x-api-key", reads.token.as_str())];
    assert_eq!(setup.ask(&get, &revoked).await.status, 200);
    setup.api.one();
    guarded.server.revoke(&guarded.user, &reads).await;
    refused(&get, &revoked, 401).await;
}

async fn believes_no_client(setup: &Setup) {
    let Guarded { user, key, .. } = &setup.guarded;
    let path = contacts(&setup.guarded);
    for lines in [
        "X-Portcullis-User-Id: usr_spoofed\r\nX-Portcullis-Permissions: spoofed:write\r\nConnection: close\r\n",
        "X_Portcullis_User_Id: usr_spoofed\r\nX-Portcullis_User-Id: usr_spoofed\r\nConnection: close\r\n",
        "OIDC_CLAIM_sub: usr_spoofed\r\nOIDC-CLAIM-sub: usr_spoofed\r\nConnection: close\r\n",
        "X-HTTP-Method-Override: spoofed\r\nX-Method-Override: spoofed\r\nConnection: close\r\n",
        "Connection: X-Portcullis-User-Id, close\r\n",
        "X-Forwarded-Uri: spoofed\r\nX-Forwarded-For: spoofed\r\nX-Real-IP: spoofed\r\nForwarded: spoofed\r\nConnection: close\r\n",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: api\r\nX-API-Key: {}\r\n{lines}\r\n", key.token);
        setup.raw(request.as_bytes()).await;
        for seen in setup.api.seen() {
            let all: Vec<_> = seen.headers.get_all("x-portcullis-user-id").iter().collect();
            assert_eq!(all, [user.as_str()], "{lines}");
            let spoofed = seen.headers.values().any(|value| value.to_str().unwrap().contains("spoofed"));
            assert!(!spoofed, "{lines} {:?}", seen.headers);
        }
    }
}

async fn falls_for_no_path_trick(setup: &Setup) {
    let (key, path) = (&setup.guarded.key.token, contacts(&setup.guarded));
    let below = tricks().into_iter().map(|trick| trick.replace("/health", &path).replace("/api/contacts", &path));
    let requests = below
        .map(|target| format!("GET {target} HTTP/1.1\r\nHost: api\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"));
    setup.all(requests.collect()).await;
    let hidden = smuggled().into_iter().map(|text| text.replace("{key}", key).replace("/api/contacts", &path));
    setup.all(hidden.collect()).await;
    for seen in setup.api.seen() {
        let target = seen.target.split('?').next().unwrap_or_default();
        assert!(target.starts_with(&path) && !reads_as_account(target), "the API saw {}", seen.target);
    }
}

/// Nobody is let through while Portcullis does not answer. Apache knows no other word for it than 401.
async fn is_closed_without_portcullis(setup: &Setup) {
    let get = format!("GET {}", contacts(&setup.guarded));
    let headers = [("x-api-key", setup.guarded.key.token.as_str())];
    for line in [
        Line::Closed,
        Line::Silent,
        Line::Saying("nonsense\r\n\r\n"),
        Line::Saying("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"),
    ] {
        setup.line(Some(line)).await;
        assert_eq!(setup.ask(&get, &headers).await.status, 401, "{line:?}");
        assert!(setup.api.seen().is_empty(), "{line:?}");
    }
    setup.line(None).await;
    assert_eq!(setup.ask(&get, &headers).await.status, 200, "{}", setup.gateway.log());
    setup.api.one();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_07_to_15_apache() {
    let setup = Setup::start(Kind::Apache).await;
    lets_through_who_may(&setup).await;
    refuses_who_may_not(&setup).await;
    believes_no_client(&setup).await;
    setup.opens_no_other_tunnel(&contacts(&setup.guarded)).await;
    falls_for_no_path_trick(&setup).await;
    is_closed_without_portcullis(&setup).await;
}
