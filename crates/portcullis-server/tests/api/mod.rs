//! The JSON API: the files mirror the URLs.

mod api_keys_bounds;
mod api_keys_create;
mod api_keys_import;
mod api_keys_list;
mod api_keys_revoke;
mod api_keys_rotate;
mod api_keys_update;
mod audit_events;
mod businesses;
mod idempotency;
mod limits;
mod operator_keys;
mod policies;
mod rate_limits;
mod roles;
mod sessions;
mod the_way_of_a_key;
mod usage;
mod users;
mod verify;
mod verify_batch;
mod verify_explain;
mod verify_gate;
