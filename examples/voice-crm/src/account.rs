//! `/api/v1/user`: the account of the key's owner. It takes a key with user management access.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use portcullis_tower::UserId;
use serde_json::{Map, Value, json};

use crate::Crm;
use crate::fields::{Deed, Field, Sent, check, complete, text};
use crate::paging::{Success, success};
use crate::problem::Error;
use crate::reach::Owner;

/// The parts of an account, each an object with these fields.
const PARTS: [(&str, &[Field]); 3] = [
    ("profile", &[text("name", 100), text("email", 254), text("language", 35)]),
    ("billing", &[text("company", 200), text("email", 254), text("tax_number", 50)]),
    ("branding", &[text("product_name", 100), text("color", 7), text("logo_url", 500)]),
];

pub(crate) async fn show(State(crm): State<Arc<Crm>>, Owner(user): Owner) -> Result<Json<Success<Value>>, Error> {
    Ok(success(shown(user, &crm.store.account(user).await?)))
}

pub(crate) async fn update(
    State(crm): State<Arc<Crm>>,
    Owner(user): Owner,
    Sent(parts): Sent,
) -> Result<Json<Success<Value>>, Error> {
    for (name, part) in &parts {
        let fields = PARTS.iter().find(|(known, _)| known == name).map(|(_, fields)| *fields);
        let fields = fields.ok_or_else(|| Error::Invalid(format!("There is no field `/{}`.", name.escape_debug())))?;
        let part = part.as_object().ok_or_else(|| Error::Invalid(format!("`/{name}` is an object.")))?;
        check(fields, part, Deed::Change, &format!("/{name}"))?;
    }
    Ok(success(shown(user, &crm.store.update_account(user, &parts).await?)))
}

fn shown(user: UserId, kept: &Map<String, Value>) -> Value {
    let mut shown = json!({"id": user});
    for (name, fields) in PARTS {
        let part = kept.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(shown) = shown.as_object_mut() {
            shown.insert(name.to_owned(), Value::Object(complete(fields, &part)));
        }
    }
    shown
}
