//! From start to stop, and what is there after the next start.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let wanted = json!({"name": "All of it", "environment": "test", "permissions": ["calls:read", "leads:write"],
        "business_scope": {"only": [clinic]}, "user_management": true, "allowed_ips": ["10.0.0.0/8", "2001:db8::/32"],
        "metadata": {"plan": "pro"}, "expires_at": "2027-01-01T00:00:00Z"});
    let key = server.key(&ann, &wanted).await;
    let (gone, kept) =
        (server.key(&ann, &json!({"name": "Gone"})).await, server.key(&ann, &json!({"name": "Kept"})).await);
    server.revoke(&ann, &gone).await;
    let question = json!({"token": key.token, "ip_address": "10.1.1.1", "business_id": clinic});
    let looked = json!({"token": key.token, "ip_address": "10.1.1.1", "business_id": clinic, "cost": 0});
    let listed = async |server: &Server| {
        let mut keys = server.op_get(&format!("/users/{ann}/api-keys")).await.ok();
        let keys_mut = keys.as_array_mut().unwrap().iter_mut();
        let mut used: Vec<_> = keys_mut.map(|key| key["last_used_at"].take().to_string()).collect();
        used.sort();
        (keys, used)
    };
    assert_eq!(server.verify(&question).await["valid"], true);
    let before = (server.verify(&looked).await, listed(&server).await.0);

    let server = server.restart().await;
    let (keys, used) = listed(&server).await;
    assert_eq!(before, (server.verify(&looked).await, keys), "the limits and the counts among it");
    assert_eq!(used, ["\"2026-11-20T19:30:00Z\"", "null", "null"], "the stop wrote down what was used");
    assert_eq!(server.verify(&json!({"token": gone.token})).await["reason"], "revoked");
    assert_eq!(server.verify(&json!({"token": kept.token})).await["valid"], true);
    server.user("bob@example.com").await;
}

#[tokio::test]
async fn a_server_that_is_up_says_so() {
    let server = Server::start().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(reqwest::get(format!("{}{path}", server.url)).await.unwrap().status(), 200, "{path}");
    }
}

/// A request that has begun is answered; a connection that stands idle is closed; then the server is gone.
#[tokio::test]
async fn a_stop_finishes_what_has_begun() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = Server::start().await;
    let mut begun = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let mut idle = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let body = "{\"token\":\"x\"}";
    let head = format!(
        "POST /api/v1/verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        server.operator,
        body.len()
    );
    begun.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    begun.read_exact(&mut first).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 100 Continue"), "the server reads the body, so the request has begun");

    let stopped = server.stop();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "an idle connection is closed without a word");
    begun.write_all(body.as_bytes()).await.unwrap();
    begun.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("\"malformed\""), "{}", String::from_utf8_lossy(&rest));
    let address = stopped.await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
