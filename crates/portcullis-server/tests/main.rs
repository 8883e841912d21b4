//! Everything but unit tests: through the front door, on a real database.
#![cfg(test)]

mod anonymous_sweep;
mod api;
mod cluster;
mod credentials;
mod dashboard;
mod families;
mod gateway;
mod hostile;
mod lifecycle;
mod metrics;
mod openapi;
mod permission_matrix;
mod support;
mod tidy;
mod vendored;
