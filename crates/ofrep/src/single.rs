//! One flag for one context.

use crate::answer::{self, Answer, Problem};
use crate::request::{attributes, now_s};
use crate::served::Served;
use bytes::Bytes;
use hyper::StatusCode;
use ripcord_flags::Context;

/// The answer for the flag `key`.
pub(crate) fn answer(served: &Served, key: &str, body: &Bytes) -> Result<Answer, Box<Answer>> {
    let attributes = attributes(Some(key), body)?;
    let context = Context::new(&attributes, now_s()).map_err(|bad| {
        Box::new(answer::problem(Some(key), Problem::InvalidContext, &bad.to_string()))
    })?;
    match served.single(key, &context) {
        Ok(fragment) => Ok(answer::json(StatusCode::OK, fragment.json.clone())),
        Err(failed) => Err(Box::new(answer::problem(Some(key), failed.problem, &failed.details))),
    }
}
