//! `POST /verify/batch`

use serde_json::{Value, json};

use crate::support::Server;

#[tokio::test]
async fn answers_come_in_the_order_of_the_questions_and_are_those_of_verify() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K", "permissions": ["calls:read"], "metadata": {"a": "\"b\""}})).await;
    let questions = json!([
        {"token": key.token, "cost": 0},
        {"token": "x"},
        {"token": key.token, "permission": "calls:write", "cost": 0},
        {"token": key.token, "permission": "calls:read", "business_id": clinic, "cost": 0},
    ]);
    let answers = server.op_post("/verify/batch", &json!({"requests": questions})).await.ok();
    let mut one_by_one = Vec::new();
    for question in questions.as_array().unwrap() {
        one_by_one.push(server.verify(question).await);
    }
    assert_eq!(answers, Value::Array(one_by_one));
    assert_eq!(answers[0]["metadata"], json!({"a": "\"b\""}));
}

#[tokio::test]
async fn attack_23_one_to_a_hundred() {
    let server = Server::start().await;
    let of = |count: usize| json!({"requests": vec![json!({"token": "x"}); count]});
    assert_eq!(server.op_post("/verify/batch", &of(100)).await.ok().as_array().unwrap().len(), 100);
    server.op_post("/verify/batch", &of(0)).await.fails_at(&["/requests"]);
    server.op_post("/verify/batch", &of(101)).await.fails_at(&["/requests"]);
    let wrong = json!({"requests": [{"token": "x"}, {"token": "x", "permission": "no"}]});
    server.op_post("/verify/batch", &wrong).await.fails_at(&["/requests/1/permission"]);
    server.op_post("/verify/batch", &json!([{"token": "x"}])).await.fails(400, "INVALID_REQUEST", None);
}
