//! Products, customers, reviews and flags.

use std::fs;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{Running, World};

async fn check(shop: &Running, method: Method, path: &str, body: Option<Value>, expected: u16) {
    let headers = [("x-request-id", "t")];
    let answer = shop.client.send(method.clone(), path, &headers, body.as_ref()).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, expected, "{method} {path} {body:?}: {}", answer.json());
    assert_eq!(answer.json()["release"], "v2");
    assert_eq!(answer.json()["schema"], 2);
    assert_eq!(answer.header("x-shop-release"), Some("v2"));
}

#[tokio::test]
async fn every_endpoint_answers_and_names_its_release() {
    let world = World::at(2);
    let shop = world.serve(2).await;
    let (get, post) = (Method::GET, Method::POST);
    check(&shop, get.clone(), "/up", None, 200).await;
    check(&shop, get.clone(), "/version", None, 200).await;
    check(&shop, get.clone(), "/products", None, 200).await;
    check(&shop, get.clone(), "/products/20", None, 200).await;
    check(&shop, get.clone(), "/products/21", None, 404).await;
    check(&shop, get.clone(), "/customers/25", None, 200).await;
    check(&shop, get.clone(), "/customers/26", None, 404).await;
    check(&shop, get.clone(), "/orders?limit=3", None, 200).await;
    check(&shop, get.clone(), "/orders/100", None, 200).await;
    check(&shop, get.clone(), "/orders/101", None, 404).await;
    check(&shop, get.clone(), "/nothing", None, 404).await;
    check(&shop, get, "/slow?ms=1", None, 200).await;
    let customer = json!({ "name": "Ada", "email": "Ada@x" });
    check(&shop, post.clone(), "/customers", Some(customer), 201).await;
    let nobody = json!({ "name": " ", "email": "a@x" });
    check(&shop, post.clone(), "/customers", Some(nobody), 422).await;
    let review = json!({ "product": 1, "stars": 5, "body": "good" });
    check(&shop, post.clone(), "/reviews", Some(review), 201).await;
    let six_stars = json!({ "product": 1, "stars": 6, "body": "too good" });
    check(&shop, post.clone(), "/reviews", Some(six_stars), 422).await;
    check(&shop, post, "/customers", Some(json!([])), 400).await;
    assert_eq!(shop.get("/products").await.json()["products"].as_array().map(Vec::len), Some(20));
    let products = shop.get("/products?limit=7").await.json();
    assert_eq!(products["products"].as_array().map(Vec::len), Some(7));
    shop.stop().await;
}

#[tokio::test]
async fn flags_are_read_again_when_the_file_changes() {
    let world = World::at(2);
    let flags = world.path("flags.json");
    let document = |variant: &str| {
        json!({ "flags": { "reviews": {
            "state": "ENABLED", "variants": { "on": true, "off": false },
            "defaultVariant": variant,
        }}})
        .to_string()
    };
    fs::write(&flags, document("on")).expect("a writable file");
    let shop = world.serve(2).await;
    let review = json!({ "product": 3, "stars": 4, "body": "fine" });
    shop.send(Method::POST, "/reviews", review).await;
    assert_eq!(shop.get("/products/3").await.json()["reviews"][0]["body"], "fine");
    assert_eq!(shop.get("/reviews").await.json()["reviews"][0]["stars"], 4);
    assert_eq!(shop.get("/version").await.json()["flags"]["reviews"], true);

    // Replaced by a rename, as tools do it.
    let next = world.path("flags.next");
    fs::write(&next, document("off")).expect("a writable file");
    fs::rename(&next, &flags).expect("a rename");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(shop.get("/products/3").await.json()["reviews"], Value::Null);
    assert_eq!(shop.get("/reviews").await.json()["reviews"], json!([]));
    assert_eq!(shop.get("/version").await.json()["flags"]["reviews"], false);

    // A broken file changes nothing; the next good one does.
    fs::write(&flags, "{ \"flags\": ").expect("a writable file");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(shop.get("/version").await.json()["flags"]["reviews"], false);
    fs::write(&flags, document("on")).expect("a writable file");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(shop.get("/version").await.json()["flags"]["reviews"], true);
    shop.stop().await;
}
