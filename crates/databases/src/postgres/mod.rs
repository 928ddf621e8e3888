//! `PostgreSQL` as a target database: what its schema consists of, what differs between two
//! schemas, and the statements that take a difference back as far as definitions alone can.
//!
//! Nothing here changes a database: statements are made, not run. Rows are never read.

mod act;
mod alone;
mod attempt;
mod back;
mod canonical;
mod catalogue;
mod connection;
mod detach;
mod diff;
mod down;
mod fill;
mod finish;
mod hide;
mod history;
mod inverse;
mod keep;
mod kind;
mod outcome;
mod own;
mod pieces;
mod pooled;
mod preview;
mod preview_back;
mod quiet;
mod redo;
mod release;
mod scope;
mod score;
pub mod scratch;
mod script;
mod session;
mod snapshot;
mod terms;
mod tls;
mod trouble;
mod undo;
mod up;

pub use catalogue::{Catalogue, FORMAT, Name, Object};
pub use connection::{Connection, Limits};
pub use detach::{Belongings, belongings, detach};
pub use diff::{Change, What, diff};
pub use down::down;
pub use finish::{Waiting, finish, waiting};
pub use history::{
    Attached, Back, Hindrance, History, Memory, Passing, Ran, Remark, Row as HistoryRow, Stand,
    Standing, attach, settle, to_run, to_take_back,
};
pub use inverse::{Inverse, Left, SESSION, Sql, inverse};
pub use kind::Kind;
pub use outcome::{Conflict, Outcome, Progress};
pub use pieces::{Piece, Purge, Sample, copy_out, hidden, pieces, purge, sample};
pub use preview::preview_up;
pub use preview_back::{Ahead, Locked, Taking, preview_down};
pub use release::{Address, Newest, PostgresDatabase, PostgresOptions, scripts};
pub use score::{Step, score};
pub use session::Session;
pub use snapshot::{Scope, snapshot};
pub use terms::Terms;
pub use trouble::PostgresError;
pub use up::up;
