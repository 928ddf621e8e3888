//! Which code lives on which schema, with the migrations run beneath a serving shop.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{Running, World};

async fn order(shop: &Running, key: &str) -> (u16, Value) {
    let body = json!({
        "customer": 1, "product": 1, "quantity": 1, "note": "n", "client_key": key, "gift": true,
    });
    let answer = shop.send(Method::POST, "/orders", body).await;
    (answer.status, answer.json())
}

/// Statuses of `/up`, of reading an order and of placing one.
async fn statuses(code: u8, schema: u8) -> [u16; 3] {
    let world = World::at(schema);
    let shop = world.serve(code).await;
    let up = shop.get("/up").await.status;
    let read = shop.get("/orders/1").await.status;
    let (placed, _) = order(&shop, "k").await;
    shop.stop().await;
    [up, read, placed]
}

#[tokio::test]
async fn code_and_schema_fit_or_break_as_described() {
    assert_eq!(statuses(1, 1).await, [200, 200, 201]);
    assert_eq!(statuses(2, 2).await, [200, 200, 201]);
    assert_eq!(statuses(3, 3).await, [200, 200, 201]);
    assert_eq!(statuses(1, 2).await, [200, 200, 201], "old code on the additive schema");
    assert_eq!(statuses(2, 1).await, [200, 500, 500], "new code on the old schema");
    assert_eq!(statuses(3, 2).await, [200, 500, 500]);
    assert_eq!(statuses(1, 3).await, [200, 500, 500], "old code on the destructive schema");
    assert_eq!(statuses(2, 3).await, [200, 500, 500]);
}

#[tokio::test]
async fn each_generation_writes_its_own_columns() {
    let world = World::at(1);
    let first = world.serve(1).await;
    let (_, row) = order(&first, "a").await;
    assert_eq!(
        (&row["note"], &row["channel"], &row["gift"]),
        (&json!("n"), &json!(null), &json!(null))
    );
    world.migrate(2, "up");
    let second = world.serve(2).await;
    let (_, row) = order(&second, "b").await;
    assert_eq!(
        (&row["note"], &row["channel"], &row["gift"]),
        (&json!("n"), &json!("web"), &json!(null))
    );
    world.migrate(3, "up");
    let third = world.serve(3).await;
    let (_, row) = order(&third, "c").await;
    assert_eq!(
        (&row["note"], &row["channel"], &row["gift"]),
        (&json!(null), &json!("web"), &json!(true))
    );
    let note = json!({ "note": "ignored" });
    let path = format!("/orders/{}", row["id"]);
    assert_eq!(third.send(Method::PATCH, &path, note).await.json()["note"], json!(null));
    let mixed = json!({ "name": "Ada", "email": "Ada@Example.COM" });
    let customer = third.send(Method::POST, "/customers", mixed).await.json();
    assert_eq!(customer["email"], "ada@example.com");
    for shop in [first, second, third] {
        shop.stop().await;
    }
}

#[tokio::test]
async fn a_serving_shop_follows_the_schema_there_and_back() {
    let world = World::at(2);
    let shop = world.serve(2).await;
    assert_eq!(shop.get("/orders/1").await.json()["note"], "leave order 1 with the neighbour");
    world.migrate(3, "up");
    assert_eq!(shop.get("/orders/1").await.status, 500);
    assert_eq!(shop.get("/up").await.status, 200);
    world.migrate(3, "down");
    let back = shop.get("/orders/1").await;
    assert_eq!((back.status, &back.json()["note"]), (200, &json!(null)), "as people write it");
    assert_eq!(order(&shop, "after").await.0, 201);
    shop.stop().await;
}

#[tokio::test]
async fn the_first_release_has_no_reviews() {
    let world = World::at(2);
    let shop = world.serve(1).await;
    let answer = shop.get("/reviews").await;
    assert_eq!((answer.status, &answer.json()["schema"]), (404, &json!(1)));
    shop.stop().await;
}

#[test]
fn every_down_script_undoes_the_catalogue_of_its_up_script() {
    let world = World::at(3);
    let columns = || {
        let connection = rusqlite::Connection::open(world.database()).expect("the database");
        let mut statement = connection
            .prepare(
                "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c
                 WHERE m.type = 'table' ORDER BY 1",
            )
            .expect("a valid query");
        let names = statement.query_map([], |row| row.get(0)).expect("rows");
        names.collect::<rusqlite::Result<Vec<String>>>().expect("names")
    };
    for (number, gone) in [(3, "orders.gift"), (2, "reviews.id"), (1, "orders.id")] {
        assert!(columns().contains(&gone.to_owned()));
        let before = World::at(number - 1);
        world.migrate(number, "down");
        assert!(!columns().contains(&gone.to_owned()));
        drop(before);
    }
    assert_eq!(columns(), Vec::<String>::new());
}
