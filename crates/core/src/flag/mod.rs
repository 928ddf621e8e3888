//! Feature flags as far as releases and their way back concern them: revisions, off-layers, and
//! the three-way change that leaves alone what somebody else changed. What a flag evaluates to is
//! no business of this module; the text of a flag is compared, never interpreted, but for words.

pub mod change;
pub mod image;
pub mod merge;
pub mod preview;
pub mod revision;
pub mod service;
pub mod service_preview;
pub mod words;

pub use change::{Clash, FlagChange, LayerChange};
pub use image::FlagImage;
pub use merge::{Merged, Part, Parts, changed, merge};
pub use preview::{DeployFlags, FlagForecast, FlagPreview, Leaving, RollbackFlags};
pub use revision::{FlagCause, FlagRevision, FlagSource, FlagSpan, FlagState, OffLayer};
pub use service::{
    ServiceChange, ServiceFlag, ServiceKind, ServiceMoment, ServiceSeen, ServiceTrace, ServiceWish,
};
pub use service_preview::{ServiceNow, ServicePreview, Services};
