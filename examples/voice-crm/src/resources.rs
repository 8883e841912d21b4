//! What there is, and which fields each has. The names are those of Portcullis's catalogue.

use crate::fields::{Field, one_of, required, text, whole};

/// A kind of row that belongs to a business.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
}

/// Everything that is listed, made, changed and deleted.
pub(crate) static RESOURCES: [Resource; 6] = [
    Resource {
        name: "calls",
        fields: &[
            required(text("from", 32)),
            required(text("to", 32)),
            required(one_of("direction", &["inbound", "outbound"])),
            one_of("status", &["queued", "ringing", "answered", "missed", "failed"]),
            whole("duration_seconds", 86_400),
            text("summary", 2_000),
        ],
    },
    Resource {
        name: "leads",
        fields: &[
            required(text("name", 100)),
            text("phone", 32),
            text("email", 254),
            one_of("status", &["new", "contacted", "qualified", "won", "lost"]),
        ],
    },
    Resource {
        name: "agents",
        fields: &[required(text("name", 100)), text("voice", 50), text("language", 35), text("prompt", 8_000)],
    },
    Resource {
        name: "contacts",
        fields: &[required(text("name", 100)), text("phone", 32), text("email", 254), text("notes", 2_000)],
    },
    Resource { name: "knowledge_base", fields: &[required(text("title", 200)), required(text("content", 32_000))] },
    Resource {
        name: "integrations",
        fields: &[
            required(text("name", 100)),
            required(one_of("kind", &["calendar", "crm", "helpdesk", "webhook"])),
            text("address", 500),
        ],
    },
];

/// What is computed from the others, and only read.
pub(crate) static ANALYTICS: Resource = Resource { name: "analytics", fields: &[] };
