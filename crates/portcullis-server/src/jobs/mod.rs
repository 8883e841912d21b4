//! Work that nobody asks for by a request. Each job can be run again at any time without harm.

pub(crate) mod prune_changes;
