//! Products, customers, reviews, and what the service tells about itself.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::json;

use super::answer::{answer, answer_result, parse};
use super::orders::Page;
use super::server::Shop;
use super::user::user;
use crate::store::{self, Connection, NewCustomer, NewReview, StoreError};

/// 200 when the database answers. It asks for nothing that a migration could take away.
pub(super) async fn up(State(shop): State<Arc<Shop>>) -> Response {
    let alive = shop.pool.read(Connection::answers);
    match alive.await {
        Ok(()) if shop.injector.healthy() => answer(&shop, StatusCode::OK, json!({ "up": true })),
        Ok(()) => {
            let problem = json!({ "error": "this release never becomes healthy" });
            answer(&shop, StatusCode::SERVICE_UNAVAILABLE, problem)
        }
        Err(error) => {
            let problem = json!({ "error": error.to_string() });
            answer(&shop, StatusCode::SERVICE_UNAVAILABLE, problem)
        }
    }
}

/// Release, schema generation, banner and flag values.
pub(super) async fn version(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let flags = shop.flags.values(user(&headers)).await;
    answer(&shop, StatusCode::OK, json!({ "banner": shop.config.banner, "flags": flags }))
}

pub(super) async fn unknown(State(shop): State<Arc<Shop>>, uri: Uri) -> Response {
    let problem = json!({ "error": format!("this release has no {}", uri.path()) });
    answer(&shop, StatusCode::NOT_FOUND, problem)
}

pub(super) async fn list_products(
    State(shop): State<Arc<Shop>>,
    Query(page): Query<Page>,
) -> Response {
    let rows = page.rows(&shop);
    let products = shop.pool.read(move |connection| store::list_products(connection, rows)).await;
    let products = products.map(|products| json!({ "products": products }));
    answer_result(&shop, StatusCode::OK, products)
}

/// A product, with its reviews where the flag shows them.
pub(super) async fn product(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Response {
    let with_reviews =
        shop.schema.has_reviews() && shop.flags.is_on("reviews", user(&headers)).await;
    let rows = shop.config.page_size;
    let product = shop.pool.read(move |connection| {
        let product = store::product(connection, id)?;
        let mut value = serde_json::to_value(product).unwrap_or_default();
        if with_reviews {
            value["reviews"] = json!(store::list_reviews(connection, Some(id), rows)?);
        }
        Ok(value)
    });
    answer_result(&shop, StatusCode::OK, product.await)
}

pub(super) async fn create_customer(State(shop): State<Arc<Shop>>, body: Bytes) -> Response {
    let new: NewCustomer = match parse(&shop, &body) {
        Ok(new) => new,
        Err(refusal) => return *refusal,
    };
    let schema = shop.schema;
    let customer =
        shop.pool.write(move |connection| store::insert_customer(connection, schema, &new)).await;
    answer_result(&shop, StatusCode::CREATED, customer)
}

pub(super) async fn customer(State(shop): State<Arc<Shop>>, Path(id): Path<i64>) -> Response {
    let customer = shop.pool.read(move |connection| store::customer(connection, id)).await;
    answer_result(&shop, StatusCode::OK, customer)
}

pub(super) async fn create_review(State(shop): State<Arc<Shop>>, body: Bytes) -> Response {
    let new: NewReview = match parse(&shop, &body) {
        Ok(new) => new,
        Err(refusal) => return *refusal,
    };
    let review = shop.pool.write(move |connection| store::insert_review(connection, new)).await;
    answer_result(&shop, StatusCode::CREATED, review)
}

/// The newest reviews; none while the flag hides them, though they are kept.
pub(super) async fn list_reviews(
    State(shop): State<Arc<Shop>>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Response {
    let shown = shop.flags.is_on("reviews", user(&headers)).await;
    let rows = page.rows(&shop);
    let reviews = if shown {
        shop.pool.read(move |connection| store::list_reviews(connection, None, rows)).await
    } else {
        Ok::<_, StoreError>(Vec::new())
    };
    let reviews = reviews.map(|reviews| json!({ "shown": shown, "reviews": reviews }));
    answer_result(&shop, StatusCode::OK, reviews)
}
