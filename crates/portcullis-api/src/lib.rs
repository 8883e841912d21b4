//! The HTTP contract as Rust types: what is sent and what is answered, a file per noun.
//!
//! The server, the command line and clients written in Rust share them. Requests refuse fields they do not know, so that a
//! misspelt setting is an error and not a silently broader key; answers are read leniently, so that a newer server can say more.

pub mod api_key_imports;
pub mod api_keys;
pub mod audit_events;
pub mod authzen;
pub mod businesses;
pub mod catalogue;
pub mod envelope;
pub mod limits;
pub mod links;
pub mod metadata;
pub mod nodes;
pub mod oauth;
pub mod object;
pub mod operator_keys;
pub mod policies;
pub mod problem;
pub mod schema;
pub mod secret;
pub mod sessions;
pub mod time;
pub mod usage;
pub mod users;
pub mod verify;
pub mod whoami;
mod whole;
