//! Flags from a server, through the SDK: a stand-in speaks the protocol, well and badly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use ripcord_shop::{Faults, FlagServer};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{Running, World};

/// What the stand-in does with a question.
#[derive(Clone, Default)]
struct StandIn {
    mode: Arc<AtomicU8>,
}

const ON: u8 = 0;
const OFF: u8 = 1;
const BROKEN: u8 = 2;
const SILENT: u8 = 3;

impl StandIn {
    fn does(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

async fn evaluate(
    State(stand_in): State<StandIn>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if headers.get("x-api-key").is_none_or(|key| key != "rck_1") {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "errorDetails": "no key" })))
            .into_response();
    }
    let question: Value = serde_json::from_slice(&body).unwrap_or_default();
    let for_ann = question["context"]["targetingKey"] == "ann";
    let mode = stand_in.mode.load(Ordering::SeqCst);
    if mode == SILENT {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    let status = if mode == BROKEN { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    let value = mode == ON || for_ann;
    let known =
        json!({ "key": key, "value": value, "variant": "x", "reason": "STATIC", "metadata": {} });
    match (mode, key.as_str()) {
        (BROKEN, _) => (status, Json(json!({ "errorDetails": "broken" }))).into_response(),
        (_, "reviews") => Json(known).into_response(),
        (_, _) => {
            let missing =
                json!({ "key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": "no" });
            (StatusCode::NOT_FOUND, Json(missing)).into_response()
        }
    }
}

async fn shop(world: &World, stand_in: &StandIn, headers: &str) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new()
        .route("/ofrep/v1/evaluate/flags/{key}", post(evaluate))
        .with_state(stand_in.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut settings = world.settings(2, Faults::default());
    settings.flag_server = Some(FlagServer { endpoint, headers: headers.to_owned() });
    Running::start(settings).await
}

async fn reviews(shop: &Running, user: &str) -> Value {
    let headers = [("x-user", user)];
    let answer = shop.client.send(axum::http::Method::GET, "/version", &headers, None).await;
    answer.expect("an answer").json()["flags"]["reviews"].clone()
}

#[tokio::test]
async fn a_change_at_the_server_is_seen_with_the_next_request() {
    let (world, stand_in) = (World::at(2), StandIn::default());
    let shop = shop(&world, &stand_in, "X-API-Key=rck_1").await;
    assert_eq!(reviews(&shop, "bob").await, json!(true));
    assert_eq!(shop.get("/version").await.json()["flags"], json!({ "reviews": true }));
    assert_eq!(shop.get("/reviews").await.json()["shown"], json!(true));
    stand_in.does(OFF);
    assert_eq!(reviews(&shop, "bob").await, json!(false));
    assert_eq!(reviews(&shop, "ann").await, json!(true), "users are told to the server");
    assert_eq!(shop.get("/reviews").await.json()["shown"], json!(false));
    shop.stop().await;
}

#[tokio::test]
async fn whoever_cannot_ask_does_what_the_code_says() {
    let (world, stand_in) = (World::at(2), StandIn::default());
    let shop_without_a_key = shop(&world, &stand_in, "").await;
    assert_eq!(reviews(&shop_without_a_key, "bob").await, Value::Null);
    shop_without_a_key.stop().await;
    let shop = shop(&world, &stand_in, "X-API-Key=rck_1").await;
    stand_in.does(BROKEN);
    assert_eq!(reviews(&shop, "bob").await, Value::Null);
    stand_in.does(SILENT);
    let began = Instant::now();
    assert_eq!(shop.get("/reviews").await.json()["shown"], json!(false), "off without an answer");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    stand_in.does(ON);
    assert_eq!(reviews(&shop, "bob").await, json!(true), "and on again");
    shop.stop().await;
}
