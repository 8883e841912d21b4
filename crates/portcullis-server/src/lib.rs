//! The server: decisions from memory, edits through one log.
//!
//! Two ways lead through it, and every file is on one of them:
//!
//! - **A decision**: [`routes`] → [`api`] or [`gateway`] → [`verify`] → `portcullis_core::decision` on the memory that [`cluster`] keeps.
//!   No lock is held across an await, and no database is asked.
//! - **An edit**: [`routes`] → [`api`] → [`manage`] → [`store`], in one transaction with its audit event and its numbered
//!   change → [`cluster`] follows the log → the answer.
//!
//! [`app`] is what both may use, [`caller`] says who asks, [`error`] how a failure reads, [`serve`] what a connection may cost.

mod api;
mod app;
mod body;
mod caller;
pub mod clock;
mod cluster;
pub mod config;
mod dashboard;
mod error;
mod file;
mod gateway;
mod jobs;
mod manage;
mod metrics;
mod reference;
mod routes;
mod running;
mod secrets;
mod serve;
mod spool;
mod store;
mod verify;

pub use app::{App, StartError};
pub use cluster::{Memory, NotApplied};
pub use manage::{audit, setup, transfer};
pub use routes::openapi;
pub use running::{BindError, Bound, bind};
pub use secrets::PepperError;
pub use store::{OpenError, StoreError, migrate};
