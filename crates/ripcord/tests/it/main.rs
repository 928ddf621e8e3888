//! The real binary on real parts: controller, proxy, instances, `SQLite`, files and signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alone;
mod authority;
mod bad_input;
mod canary;
mod canary_latency;
#[expect(dead_code, reason = "the tests of another crate need more of it")]
#[path = "../../../databases/tests/it/postgres/cluster.rs"]
mod cluster;
mod db_migrate;
mod db_review;
mod db_snapshot;
mod demo;
#[path = "../../../integrations/tests/it/flag_servers.rs"]
mod flag_servers;
mod flag_services;
mod flags;
mod flags_import;
mod flags_server;
mod gauge;
mod help;
mod init;
mod journeys;
mod judge;
mod kills;
mod many;
mod over_postgres;
mod pruning;
mod rolling;
mod scenarios;
#[expect(dead_code, reason = "the tests of another crate need more of it")]
#[path = "../../../integrations/tests/it/server.rs"]
mod server;
mod shares;
mod site;
mod sources;
mod tour;
