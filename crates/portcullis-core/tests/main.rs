//! The rules of a decision, by example and against a naive model.
#![cfg(test)]

mod decision_model;
mod decision_rules;
mod keyring_model;
mod windows;
mod world;
