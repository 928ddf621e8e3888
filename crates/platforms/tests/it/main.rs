//! Tests of the process platform with real processes: this very binary is shim, second stage and
//! service, in turn.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adopt;
mod child;
mod crash;
mod limits;
mod ready;
mod roles;
mod stop;
mod support;
mod unit;
