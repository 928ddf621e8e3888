//! Reviews, which V1 does not know.

use serde::{Deserialize, Serialize};

use super::{Cell, Connection, StoreError, product};

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

pub(crate) fn insert_review(
    connection: &mut Connection,
    new: NewReview,
) -> Result<Review, StoreError> {
    if !(1..=5).contains(&new.stars) {
        return Err(StoreError::Invalid("a review has 1 to 5 stars"));
    }
    product(connection, new.product)?;
    let made = connection.row(
        "INSERT INTO reviews (product_id, stars, body) VALUES ($1, $2, $3) RETURNING id",
        &[new.product.into(), new.stars.into(), new.body.as_str().into()],
    )?;
    let id = made.map_or(0, |row| row[0].integer());
    Ok(Review { id, product: new.product, stars: new.stars, body: new.body })
}

/// The newest reviews, of one product or of all.
pub(crate) fn list_reviews(
    connection: &mut Connection,
    product: Option<i64>,
    limit: u32,
) -> Result<Vec<Review>, StoreError> {
    let limit = Cell::from(i64::from(limit));
    let select = "SELECT id, product_id, stars, body FROM reviews";
    let rows = match product {
        Some(product) => connection.rows(
            &format!("{select} WHERE product_id = $1 ORDER BY id DESC LIMIT $2"),
            &[product.into(), limit],
        ),
        None => connection.rows(&format!("{select} ORDER BY id DESC LIMIT $1"), &[limit]),
    };
    let review = |row: Vec<Cell>| Review {
        id: row[0].integer(),
        product: row[1].integer(),
        stars: row[2].integer(),
        body: row[3].text().unwrap_or_default(),
    };
    Ok(rows?.into_iter().map(review).collect())
}
