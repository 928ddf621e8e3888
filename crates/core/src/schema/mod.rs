//! What a change of a schema is, does, destroys, and how it is reversed. Pure data and pure
//! comparison: reading databases and parsing SQL belong to the crate of target databases.

pub mod change;
pub mod diff;
pub mod review;
pub mod snapshot;

pub use change::{Direction, MigrationScript, SchemaChange, Wanted};
pub use diff::{Difference, diff};
pub use review::{
    Counted, DownReview, Inverse, MigrationReview, Mode, Phase, SchemaForecast, SchemaPreview,
    StatementReview, Unit,
};
pub use snapshot::{Column, Object, ObjectKind, ObjectName, Snapshot};
