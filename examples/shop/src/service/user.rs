//! Who asks. Clients name their user in a header; flags may differ from user to user.

use axum::http::HeaderMap;

/// The user of a request, if it names one.
pub(super) fn user(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-user")?.to_str().ok()
}
