//! The form of every JSON answer: an object that names the release and the schema that gave it.

use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::server::Shop;
use crate::store::StoreError;

/// An answer with the fields of `row` and the shop's own two.
pub(super) fn answer(shop: &Shop, status: StatusCode, row: impl Serialize) -> Response {
    let mut object = match serde_json::to_value(row) {
        Ok(Value::Object(object)) => object,
        // Every caller passes a struct or an object; anything else is still answered truthfully.
        Ok(other) => Map::from_iter([("value".to_owned(), other)]),
        Err(error) => Map::from_iter([("error".to_owned(), error.to_string().into())]),
    };
    object.insert("schema".to_owned(), shop.schema.number().into());
    object.insert("release".to_owned(), shop.release.clone().into());
    (status, Json(Value::Object(object))).into_response()
}

/// 200 with a row, or what its failure means to a client.
pub(super) fn answer_result<T: Serialize>(
    shop: &Shop,
    status: StatusCode,
    result: Result<T, StoreError>,
) -> Response {
    match result {
        Ok(row) => answer(shop, status, row),
        Err(error) => {
            let status = match error {
                StoreError::NotFound(_) => StatusCode::NOT_FOUND,
                StoreError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
                StoreError::Busy => StatusCode::SERVICE_UNAVAILABLE,
                StoreError::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            answer(shop, status, json!({ "error": error.to_string() }))
        }
    }
}

/// Parses a request body, or answers 400.
pub(super) fn parse<T: DeserializeOwned>(shop: &Shop, body: &Bytes) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| {
        let problem = json!({ "error": format!("request body: {error}") });
        Box::new(answer(shop, StatusCode::BAD_REQUEST, problem))
    })
}
