//! The binary as its users run it: processes, signals, exit codes, standard streams.
#![cfg(test)]

mod cluster;
mod commands;
mod contract;
mod dashboard;
mod databases;
mod faults;
mod gate;
mod init;
mod quickstart;
mod secrets;
mod support;
mod transfer;
