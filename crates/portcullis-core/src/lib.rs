//! The heart of Portcullis, as plain values and functions.
//!
//! Nothing in this crate reads a clock, draws a random number, opens a socket or touches a file: time and
//! randomness come in as arguments, and that is what makes every rule testable and every decision repeatable.
//!
//! The map, in the order in which a request meets it:
//!
//! - [`credential`], [`token`]: how a secret string is sent; the secret string: its form, its checksum, its digest
//! - [`permission`], [`role`], [`scope`]: what may be done, by whom, and where
//! - [`keyring`]: the node's memory, built from [`change`]s and from nothing else
//! - [`decision`]: the nine rules, in their order
//! - [`window`], [`limits`]: how much a key, a business or a user may ask for in a time
//! - [`audit`]: every event that an edit can leave behind
//! - [`operator`]: what the platform's own credentials may do
//! - [`path`], [`gate`]: request paths, made comparable or refused; what a request needs, by its method and path
//! - [`id`], [`time`], [`dice`]: names, instants and randomness

pub mod audit;
pub mod audit_head;
pub mod change;
pub mod credential;
pub mod decision;
pub mod dice;
pub mod gate;
pub mod id;
pub mod keyring;
pub mod limits;
pub mod operator;
pub mod path;
pub mod permission;
pub mod role;
pub mod scope;
pub mod time;
pub mod token;
pub mod window;
