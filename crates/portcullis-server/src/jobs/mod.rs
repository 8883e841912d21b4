//! Work that nobody asks for by a request. Each job can be run again at any time without harm.

pub(crate) mod last_used;
pub(crate) mod prune;
pub(crate) mod revoke_unused;
pub(crate) mod sign_head;
