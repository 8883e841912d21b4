//! Everything but unit tests: through the front door, on a real database.
#![cfg(test)]

mod api;
mod support;
mod tidy;
