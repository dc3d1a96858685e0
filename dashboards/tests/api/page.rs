//! The page itself.

use crate::bench::Bench;
use axum::body::Body;
use axum::http::{Request, header};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_answers_before_login_and_only_a_navigation_falls_back_to_it() {
    let bench = Bench::new().await;
    let get = async |path: &str, accept: &str| {
        let request = Request::builder().uri(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap();
        bench.send(request).await
    };
    let root = get("/", "text/html").await;
    assert_eq!(root.status.as_u16(), 200);
    assert!(root.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    assert_eq!(root.headers[header::CACHE_CONTROL], "no-cache");
    assert_eq!(get("/devices/12", "text/html").await.status.as_u16(), 200);
    assert_eq!(get("/assets/none.js", "*/*").await.status.as_u16(), 404);
    assert_eq!(get("/tiles/1.png", "text/html").await.status.as_u16(), 404);
    get("/api/v2/devices", "text/html").await.refused(404, "not_found");
    assert_eq!(get("/healthz", "*/*").await.text(), "ok");
    assert_eq!(get("/readyz", "*/*").await.text(), "ok");
}
