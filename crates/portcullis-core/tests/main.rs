//! The rules of a decision, by example and against a naive model.
#![cfg(test)]

mod decision_model;
mod decision_rules;
mod key_edits;
mod keyring_model;
mod windows;
mod world;
