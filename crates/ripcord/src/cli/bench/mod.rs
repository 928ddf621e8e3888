//! Measurements behind `cargo xtask bench`: the whole product on real parts, under load. They are
//! no commands for users and change no state but their own.

mod cutover;
mod detection;
mod flags_off;
mod users;

pub(crate) use cutover::{Args as CutoverArgs, run as cutover};
pub(crate) use detection::{Args as DetectionArgs, run as detection};
pub(crate) use flags_off::{Args as FlagsOffArgs, run as flags_off};

use crate::api::{Client, WishKind};
use crate::cli::follow::{Ended, follow};
use crate::demo::{ENVIRONMENT, Stage};
use crate::failure::Failure;
use ripcord_core::plan::Plan;
use std::time::Duration;

/// How long a deploy may take.
const DEPLOY: Duration = Duration::from_mins(1);

/// Freezes what is on the stage, and deploys it.
fn deploy(stage: &Stage, client: &Client) -> Result<(Plan, Ended), Failure> {
    let release = stage.freeze(client)?;
    let wish = WishKind::Deploy { release, retry: false, accepted: None, force_flags: false };
    let plan = client.plan(ENVIRONMENT, &wish)?;
    let after = client.status(ENVIRONMENT)?.sequence;
    client.start(ENVIRONMENT, plan.clone(), "bench".to_owned())?;
    let ended = follow(client, ENVIRONMENT, &plan, after, DEPLOY, false)?;
    Ok((plan, ended))
}

/// The value at this share of a sorted list.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index into a short list"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let index = ((sorted.len() as f64 - 1.0) * share).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
