//! `/orders`: place, show, change and list.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{answer, answer_result, parse};
use super::server::Shop;
use super::user::user;
use crate::Schema;
use crate::store::{self, Change, NewOrder, Placed};

/// How many rows a client wants.
#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<u32>,
}

impl Page {
    /// The limit within bounds, or the configured page size.
    pub(super) fn rows(&self, shop: &Shop) -> u32 {
        self.limit.unwrap_or(shop.config.page_size).clamp(1, 500)
    }
}

pub(super) async fn create(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let new: NewOrder = match parse(&shop, &body) {
        Ok(new) => new,
        Err(refusal) => return *refusal,
    };
    let schema = shop.schema;
    let placed = shop.pool.write(move |connection| store::place_order(connection, schema, &new));
    let (status, order) = match placed.await {
        Ok(Placed::New(order)) => (StatusCode::CREATED, Ok(order)),
        Ok(Placed::Known(order)) => (StatusCode::OK, Ok(order)),
        Err(error) => (StatusCode::OK, Err(error)),
    };
    // The flag changes what clients see, never what is stored.
    if schema >= Schema::V3 && shop.flags.is_on("express-checkout", user(&headers)).await {
        let express = order.map(|order| {
            let mut value = serde_json::to_value(order).unwrap_or(Value::Null);
            value["express"] = Value::Bool(true);
            value
        });
        return answer_result(&shop, status, express);
    }
    answer_result(&shop, status, order)
}

pub(super) async fn show(State(shop): State<Arc<Shop>>, Path(id): Path<i64>) -> Response {
    let schema = shop.schema;
    let order = shop.pool.read(move |connection| store::order(connection, schema, id)).await;
    answer_result(&shop, StatusCode::OK, order)
}

pub(super) async fn change(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<i64>,
    body: Bytes,
) -> Response {
    let change: Change = match parse(&shop, &body) {
        Ok(change) => change,
        Err(refusal) => return *refusal,
    };
    let schema = shop.schema;
    let order = shop
        .pool
        .write(move |connection| store::change_order(connection, schema, id, &change))
        .await;
    answer_result(&shop, StatusCode::OK, order)
}

pub(super) async fn list(State(shop): State<Arc<Shop>>, Query(page): Query<Page>) -> Response {
    let (schema, rows) = (shop.schema, page.rows(&shop));
    let orders =
        shop.pool.read(move |connection| store::list_orders(connection, schema, rows)).await;
    match orders {
        Ok(orders) => answer(&shop, StatusCode::OK, json!({ "orders": orders })),
        Err(error) => answer_result(&shop, StatusCode::OK, Err::<(), _>(error)),
    }
}
