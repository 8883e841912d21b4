//! For those who run the platform: everybody, everything, and how the node is.

pub(crate) mod businesses;
pub(crate) mod nodes;
pub(crate) mod operator_keys;
pub(crate) mod policy;
pub(crate) mod users;

use askama::Template;

use super::form::Problems;
use super::frame::Frame;

/// A page that asks whether something is meant, before it is done.
#[derive(Template)]
#[template(path = "platform/confirm.html")]
pub(crate) struct Confirm {
    pub(crate) frame: Frame,
    pub(crate) back: String,
    pub(crate) back_label: &'static str,
    pub(crate) heading: String,
    pub(crate) what_happens: &'static str,
    pub(crate) action: String,
    pub(crate) button: &'static str,
    pub(crate) is_dangerous: bool,
    /// What must be typed; empty, where a button is enough.
    pub(crate) to_type: String,
    pub(crate) problems: Problems,
}
