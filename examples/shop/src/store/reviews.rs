//! Reviews, which V1 does not know.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{StoreError, product};

/// A review as answered.
#[derive(Debug, Serialize)]
pub(crate) struct Review {
    id: i64,
    product: i64,
    stars: i64,
    body: String,
}

/// A review as sent.
#[derive(Debug, Deserialize)]
pub(crate) struct NewReview {
    product: i64,
    stars: i64,
    body: String,
}

pub(crate) fn insert_review(connection: &Connection, new: NewReview) -> Result<Review, StoreError> {
    if !(1..=5).contains(&new.stars) {
        return Err(StoreError::Invalid("a review has 1 to 5 stars"));
    }
    product(connection, new.product)?;
    connection.execute(
        "INSERT INTO reviews (product_id, stars, body) VALUES (?1, ?2, ?3)",
        (new.product, new.stars, &new.body),
    )?;
    let id = connection.last_insert_rowid();
    Ok(Review { id, product: new.product, stars: new.stars, body: new.body })
}

/// The newest reviews, of one product or of all.
pub(crate) fn list_reviews(
    connection: &Connection,
    product: Option<i64>,
    limit: u32,
) -> Result<Vec<Review>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT id, product_id, stars, body FROM reviews
         WHERE ?1 IS NULL OR product_id = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let reviews = statement.query_map((product, limit), |row| {
        Ok(Review { id: row.get(0)?, product: row.get(1)?, stars: row.get(2)?, body: row.get(3)? })
    })?;
    Ok(reviews.collect::<rusqlite::Result<_>>()?)
}
