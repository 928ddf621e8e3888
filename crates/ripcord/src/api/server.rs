//! The server side: each request is checked, handed to the controller on a thread that may
//! block, and answered as JSON.

use crate::api::wire::{
    Created, Entries, FlagDocument, Frozen, MaintenanceRequest, PlanRequest, StartRequest, Started,
    Taken, WishKind, Wrong,
};
use crate::controller::environment::EnvironmentControl;
use crate::controller::{Controller, FlagRequest, Request as OperatorRequest, Wish};
use crate::failure::{Code, Failure, Kind};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ripcord_core::model::ReleaseId;
use ripcord_engine::Ledger;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The longest body; plans carry their migration scripts.
const BODY_BYTES_MAX: usize = 64 << 20;

/// The longest that a request for news waits.
const WAIT_MS_MAX: u64 = 20_000;

/// The most entries in one answer.
const ENTRIES_MAX: usize = 5_000;

#[derive(Clone)]
struct Shared {
    controller: Arc<Controller>,
    token: Arc<str>,
}

/// Serves until `shutdown` resolves.
pub(crate) async fn serve(
    listener: TcpListener,
    controller: Arc<Controller>,
    token: &str,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let shared = Shared { controller, token: token.into() };
    let router = Router::new()
        .route("/v1/releases", get(releases).post(create_release))
        .route("/v1/releases/{id}", get(release))
        .route("/v1/environments/{name}/plan", post(plan))
        .route("/v1/environments/{name}/start", post(start))
        .route("/v1/environments/{name}/requests", post(request))
        .route("/v1/environments/{name}/maintenance", post(maintenance))
        .route("/v1/environments/{name}/flags", get(flags).post(change_flags))
        .route("/v1/environments/{name}/flags/history", get(flag_history))
        .route("/v1/environments/{name}/flags/services", get(service_flags))
        .route("/v1/environments/{name}/flags/revisions/{number}", get(flag_document))
        .route("/v1/environments/{name}/status", get(status))
        .route("/v1/environments/{name}/entries", get(entries))
        .route("/v1/environments", get(environments))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(shared.clone(), authorise))
        .with_state(shared);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

/// Only who can read the state directory knows the token. A browser cannot send it, so no page
/// can act on a person's behalf.
async fn authorise(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if authorised(request.headers(), &shared.token) {
        return next.run(request).await;
    }
    let failure = Failure::new(Code::NotAuthorised, "the request carries no valid token");
    (StatusCode::UNAUTHORIZED, Json(Wrong { failure })).into_response()
}

fn authorised(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(axum::http::HeaderValue::as_bytes);
    let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
    // Every byte is compared, so that the time tells nothing about the token.
    let differing = given.iter().zip(token.as_bytes()).fold(0, |acc, (a, b)| acc | (a ^ b));
    given.len() == token.len() && differing == 0
}

/// Answers with JSON, or with the failure and a matching status.
fn answer<T: Serialize>(result: Result<T, Failure>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(failure) => {
            let status = match failure.kind {
                Kind::Usage | Kind::Config => StatusCode::BAD_REQUEST,
                Kind::Refused | Kind::WentBack | Kind::NeedsOperator => StatusCode::CONFLICT,
                Kind::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
                Kind::Bug => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, Json(Wrong { failure })).into_response()
        }
    }
}

/// Runs what may block where it may.
async fn blocking<T, F>(shared: Shared, work: F) -> Response
where
    T: Serialize + Send + 'static,
    F: FnOnce(&Controller) -> Result<T, Failure> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(move || work(&shared.controller)).await;
    answer(done.unwrap_or_else(|panic| Err(Failure::new(Code::Bug, panic.to_string()))))
}

async fn in_environment<T, F>(shared: Shared, name: String, work: F) -> Response
where
    T: Serialize + Send + 'static,
    F: FnOnce(&Controller, &EnvironmentControl) -> Result<T, Failure> + Send + 'static,
{
    blocking(shared, move |controller| {
        let environment = controller.environment(&name)?;
        work(controller, environment)
    })
    .await
}

async fn releases(State(shared): State<Shared>) -> Response {
    blocking(shared, |controller| Ok(controller.registry.all())).await
}

async fn release(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    blocking(shared, move |controller| controller.release(&ReleaseId(id))).await
}

async fn create_release(State(shared): State<Shared>, Json(frozen): Json<Frozen>) -> Response {
    blocking(shared, move |controller| {
        let (release, new) = controller.create_release(frozen.release)?;
        Ok(Created { release, new })
    })
    .await
}

async fn environments(State(shared): State<Shared>) -> Response {
    blocking(shared, |controller| Ok(controller.environments.keys().cloned().collect::<Vec<_>>()))
        .await
}

async fn plan(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Json(request): Json<PlanRequest>,
) -> Response {
    in_environment(shared, name, move |controller, environment| {
        let wish = match request.wish {
            WishKind::Deploy { release, retry, accepted, force_flags } => {
                Wish::Deploy { release, retry, accepted, force_flags }
            }
            WishKind::Rollback { to, force_flags } => Wish::Rollback { to, force_flags },
        };
        controller.plan(environment, &wish)
    })
    .await
}

async fn start(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Json(request): Json<StartRequest>,
) -> Response {
    in_environment(shared, name, move |controller, environment| {
        controller.start_plan(environment, &request.plan, &request.by)?;
        Ok(Started { plan: request.plan.id.clone() })
    })
    .await
}

async fn request(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Json(request): Json<OperatorRequest>,
) -> Response {
    in_environment(shared, name, move |controller, environment| {
        Ok(Taken { taken: controller.request(environment, &request)? })
    })
    .await
}

async fn maintenance(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Json(request): Json<MaintenanceRequest>,
) -> Response {
    in_environment(shared, name, move |controller, environment| {
        controller.maintenance(environment, request.on, &request.by, &request.reason)
    })
    .await
}

async fn flags(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    in_environment(shared, name, |_, environment| Controller::flags(environment)).await
}

async fn change_flags(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Json(request): Json<FlagRequest>,
) -> Response {
    in_environment(shared, name, move |controller, environment| {
        controller.change_flags(environment, &request)
    })
    .await
}

async fn flag_history(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    in_environment(shared, name, Controller::flag_history).await
}

#[derive(Deserialize)]
struct OfRelease {
    release: Option<ReleaseId>,
}

async fn service_flags(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(of): Query<OfRelease>,
) -> Response {
    in_environment(shared, name, move |controller, environment| {
        controller.service_flags(environment, of.release.as_ref())
    })
    .await
}

async fn flag_document(
    State(shared): State<Shared>,
    Path((name, number)): Path<(String, u64)>,
) -> Response {
    in_environment(shared, name, move |controller, environment| {
        let document = controller.flag_document(environment, number)?;
        Ok(FlagDocument { document })
    })
    .await
}

async fn status(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    in_environment(shared, name, Controller::status).await
}

#[derive(Debug, Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_ms: u64,
}

async fn entries(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<After>,
) -> Response {
    in_environment(shared, name, move |controller, environment| {
        let mut news = environment.news();
        let mut entries = controller.ledger.entries(&environment.name, query.after)?;
        let mut left = query.wait_ms.min(WAIT_MS_MAX);
        // The executor writes without waking anybody, so waiting is done in short slices.
        while entries.is_empty() && left > 0 {
            let slice = left.min(25);
            environment.wait(news, Duration::from_millis(slice));
            left -= slice;
            news = environment.news();
            entries = controller.ledger.entries(&environment.name, query.after)?;
        }
        entries.truncate(ENTRIES_MAX);
        Ok(Entries { entries })
    })
    .await
}
