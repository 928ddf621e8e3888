//! What every request passes: the release is stamped on the answer, and faults strike.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use super::answer::answer;
use super::server::Shop;

/// Runs before any handler, so that a fault answer has written nothing.
pub(super) async fn guard(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let mut response = if request.uri().path() == "/up" {
        next.run(request).await
    } else {
        let preview = request.headers().get("x-preview").is_some_and(|value| value == "1");
        let harm = shop.injector.strike(preview, Instant::now());
        if harm.die {
            std::process::abort();
        }
        if let Some(wait) = harm.wait {
            tokio::time::sleep(wait).await;
        }
        if harm.fail { fault(&shop).await } else { next.run(request).await }
    };
    if let Ok(release) = HeaderValue::from_str(&shop.release) {
        response.headers_mut().insert("x-shop-release", release);
    }
    response
}

/// The fault answer. Its id is in the log before it is in the header; without a log entry there is
/// no id, and the failure stays unexplained.
async fn fault(shop: &Arc<Shop>) -> Response {
    let owned = Arc::clone(shop);
    let logged = tokio::task::spawn_blocking(move || owned.injector.log_fault()).await;
    let problem = json!({ "error": "this release fails on purpose" });
    let mut response = answer(shop, StatusCode::INTERNAL_SERVER_ERROR, problem);
    if let Ok(Ok(id)) = logged
        && let Ok(id) = HeaderValue::from_str(&id)
    {
        response.headers_mut().insert("x-shop-fault", id);
    }
    response
}
