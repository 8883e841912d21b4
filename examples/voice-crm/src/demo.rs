//! Rows to look at.

use portcullis_tower::BusinessId;
use serde_json::{Map, Value, json};

use crate::paging::Slice;
use crate::reach::Reach;
use crate::resources::RESOURCES;
use crate::store::{Store, StoreError};

/// Fills businesses that have no row of any kind.
pub(crate) async fn fill(store: &Store, businesses: &[BusinessId]) -> Result<(), StoreError> {
    for &business in businesses {
        let reach = Reach::of_demo(business);
        for resource in &RESOURCES {
            let first = Slice { limit: 1, after: None };
            if !store.list(&reach, resource.name, &first).await?.is_empty() {
                continue;
            }
            for row in rows(resource.name) {
                store.create(business, resource.name, &row).await?;
            }
        }
    }
    Ok(())
}

fn rows(resource: &str) -> Vec<Map<String, Value>> {
    let rows = match resource {
        "calls" => json!([
            {"from": "+1 555 0100", "to": "+1 555 0199", "direction": "inbound", "status": "answered", "duration_seconds": 184},
            {"from": "+1 555 0199", "to": "+1 555 0101", "direction": "outbound", "status": "missed"},
        ]),
        "leads" => json!([
            {"name": "Ada Byron", "phone": "+1 555 0100", "status": "won"},
            {"name": "Grace Murray", "email": "grace@example.com", "status": "new"},
        ]),
        "agents" => {
            json!([{"name": "Reception", "voice": "alto", "language": "en", "prompt": "Greet, and ask what it is about."}])
        }
        "contacts" => {
            json!([{"name": "Ada Byron", "phone": "+1 555 0100"}, {"name": "Grace Murray", "email": "grace@example.com"}])
        }
        "knowledge_base" => json!([{"title": "Opening hours", "content": "Monday to Friday, 9 to 17."}]),
        _ => json!([{"name": "Appointments", "kind": "calendar", "address": "https://calendar.example/feed"}]),
    };
    serde_json::from_value(rows).unwrap_or_default()
}
