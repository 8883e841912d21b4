//! The main job, once from end to end.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn a_key_is_made_passes_and_is_dead_once_revoked() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let wanted = json!({"name": "Zapier Integration - Dental Clinic", "permissions": ["contacts:read"],
        "business_scope": {"only": [clinic]}, "metadata": {"plan": "pro", "seats": 5}});
    let key = server.key(&ann, &wanted).await;

    let question = json!({"token": key.token, "permission": "contacts:read", "business_id": clinic});
    let decision = server.verify(&question).await;
    assert_eq!(decision["valid"], true, "{decision}");
    assert_eq!(decision["code"], "VALID");
    assert_eq!(decision["key_id"], key.id);
    assert_eq!(decision["user_id"], ann);
    assert_eq!(decision["name"], "Zapier Integration - Dental Clinic");
    assert_eq!(decision["environment"], "live");
    assert_eq!(decision["business_id"], clinic);
    assert_eq!(decision["businesses"], json!([clinic]));
    assert_eq!(decision["permissions"], json!(["contacts:read"]));
    assert_eq!(decision["metadata"], json!({"plan": "pro", "seats": 5}));

    let revoked = server.revoke(&ann, &key).await;
    assert_eq!(revoked["status"], "revoked");
    let decision = server.verify(&question).await;
    assert_eq!((&decision["code"], &decision["reason"]), (&json!("INVALID_API_KEY"), &json!("revoked")));
    assert_eq!(decision["valid"], false);
    assert_eq!(decision["permissions"], json!([]));

    // Also after a start from what is on the disk.
    let server = server.restart().await;
    assert_eq!(server.verify(&question).await["reason"], "revoked");
}
