//! Several nodes on one PostgreSQL: what one of them changes is so on all of them.

mod leases;
mod model;
mod order;
mod redis;
