//! The API over real HTTP, and a real Portcullis behind it.
#![cfg(test)]

mod bodies;
mod families;
mod gateway;
mod program;
mod tenants;
mod world;

// Failures look as those of Portcullis.
#[path = "../../../crates/portcullis-server/tests/support/problem.rs"]
mod problem;
// One way to start a server for a test is enough.
#[path = "../../../crates/portcullis-tower/tests/support/mod.rs"]
mod support;
