//! What every failure looks like.

use serde_json::Value;

/// The members that every problem has.
#[track_caller]
pub(crate) fn check_problem(body: &Value, status: u16) {
    assert_eq!(body["status"], status, "{body}");
    assert_eq!(body["success"], false, "{body}");
    assert_eq!(body["type"], format!("/problems/{}", body["code"].as_str().unwrap()), "{body}");
    assert_eq!(body["message"], body["detail"], "{body}");
    for member in ["title", "detail", "code", "request_id"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {body}");
    }
    assert!(body.as_object().unwrap().contains_key("reason"), "{body}");
    assert_eq!(body["code"] == "VALIDATION_FAILED", body["errors"].is_array(), "{body}");
}
