//! The layer in front of real services, and a real Portcullis behind it.
#![cfg(test)]

mod connections;
mod decisions;
mod faults;
mod needs;
mod services;
mod support;
mod world;
