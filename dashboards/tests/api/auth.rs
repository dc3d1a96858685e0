//! Logging in, staying in, being kept out.

use crate::bench::{Bench, PASSWORD, author};
use axum::body::Body;
use axum::http::{Method, Request, header};
use ledger::{NewPerson, Role};
use model::id::UserId;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_one_time_password_opens_nothing_but_its_own_change() {
    let bench = Bench::new().await;
    let new = NewPerson {
        login: "wang".into(),
        name: "值班员".into(),
        role: Role::ShiftLeader,
        office: None,
        vendor: String::new(),
    };
    let (_, password) = bench.ledger.people().create(&author(), new).await.unwrap();
    bench.get("/auth/me", "").await.refused(401, "unauthenticated");
    bench.post("/auth/login", "", json!({"name": "wang", "password": "wrong"})).await.refused(401, "wrong_password");
    bench.post("/auth/login", "", json!({"name": "nobody", "password": "wrong"})).await.refused(401, "wrong_password");

    let login = bench.post("/auth/login", "", json!({"name": "wang", "password": password})).await;
    assert_eq!(login.ok()["must_change_password"], true);
    let set = login.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    let cookie = set.split(';').next().unwrap();
    bench.get("/overview", cookie).await.refused(403, "password_change_required");

    let short = bench.post("/auth/password", cookie, json!({"old": password, "new": "short"})).await;
    short.refused(422, "invalid_field");
    let changed = bench.post("/auth/password", cookie, json!({"old": password, "new": PASSWORD})).await;
    let me = changed.ok();
    assert_eq!((me["must_change_password"].as_bool(), me["role"].as_str()), (Some(false), Some("shift_leader")));
    let fresh = changed.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    bench.get("/overview", cookie).await.refused(401, "unauthenticated");
    bench.get("/overview", &fresh).await.ok();

    let english = bench.put("/auth/language", &fresh, json!({"language": "en"})).await;
    assert_eq!(english.ok()["language"], "en");
    assert_eq!(bench.call(Method::POST, "/api/v1/auth/logout", &fresh, None).await.status.as_u16(), 204);
    bench.get("/auth/me", &fresh).await.refused(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_a_password_locks_the_account_for_a_while() {
    let bench = Bench::new().await;
    bench.person("li", Role::Viewer, "").await;
    for _ in 0..5 {
        bench.post("/auth/login", "", json!({"name": "li", "password": "no"})).await.refused(401, "wrong_password");
    }
    let locked = bench.post("/auth/login", "", json!({"name": "li", "password": PASSWORD})).await;
    locked.refused(429, "too_many_attempts");
    assert!(locked.headers.contains_key(header::RETRY_AFTER));
    bench.clock.advance_ms(61_000);
    bench.post("/auth/login", "", json!({"name": "li", "password": PASSWORD})).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_from_another_site_is_refused_and_answers_carry_security_headers() {
    let bench = Bench::new().await;
    let cookie = bench.person("zhao", Role::Administrator, "").await;
    let request = |origin: &str| {
        Request::builder()
            .method(Method::POST)
            .uri("/api/v1/auth/logout")
            .header(header::HOST, "lantian.local")
            .header(header::ORIGIN, origin)
            .header(header::COOKIE, &cookie)
            .body(Body::empty())
            .unwrap()
    };
    bench.send(request("http://evil.example")).await.refused(403, "bad_origin");
    let answer = bench.get("/auth/me", &cookie).await;
    answer.ok();
    assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(bench.send(request("http://lantian.local")).await.status.as_u16(), 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_or_no_json_is_a_problem_with_a_code() {
    let bench = Bench::new().await;
    let cookie = bench.person("qian", Role::Administrator, "").await;
    let big = "x".repeat(2 << 20);
    bench.post("/rules/check", &cookie, json!({"text": big})).await.refused(413, "too_large");
    bench.post("/rules/check", &cookie, json!({"txt": 1})).await.refused(422, "invalid_field");
    bench.get("/devices?limit=abc", &cookie).await.refused(400, "bad_request");
    bench.get("/devices/abc", &cookie).await.refused(404, "not_found");
    bench.get("/no/such/route", &cookie).await.refused(404, "not_found");
    bench.call(Method::PUT, "/api/v1/overview", &cookie, None).await.refused(405, "bad_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_makes_resets_and_switches_off_accounts_and_all_of_it_is_audited() {
    let bench = Bench::new().await;
    let admin = bench.person("admin", Role::Administrator, "").await;
    let new = json!({"name": "sun", "display_name": "孙", "role": "vendor"});
    bench.post("/users", &admin, new).await.refused(422, "invalid_field");
    let new = json!({"name": "sun", "display_name": "孙", "role": "dispatcher"});
    let made = bench.post("/users", &admin, new.clone()).await.ok();
    bench.post("/users", &admin, new).await.refused(422, "invalid_field");
    let id = made["id"].as_i64().unwrap();
    let reset = bench.call(Method::POST, &format!("/api/v1/users/{id}/password"), &admin, None).await.ok();
    assert_ne!(reset["password"], made["password"]);
    let off = bench.post(&format!("/users/{id}/enabled"), &admin, json!({"enabled": false})).await.ok();
    assert_eq!(off["enabled"], false);
    let login = json!({"name": "sun", "password": reset["password"]});
    bench.post("/auth/login", "", login).await.refused(401, "wrong_password");
    assert!(!bench.ledger.people().get(UserId(id)).await.unwrap().unwrap().active);
    let audit = bench.get("/audit?limit=200", &admin).await.ok();
    let actions: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    for action in ["person_created", "password_reset", "person_changed"] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
    let page = bench.get("/audit?limit=2", &admin).await.ok();
    let next = page["next"].as_str().unwrap();
    let second = bench.get(&format!("/audit?limit=2&cursor={next}"), &admin).await.ok();
    assert!(second["items"][0]["id"].as_i64() < page["items"][1]["id"].as_i64());
}

/// A log-in with a wrong password, by way of the peer 10.0.0.8.
async fn guess(app: &axum::Router, client: &str, name: &str) -> u16 {
    let peer: std::net::SocketAddr = "10.0.0.8:4000".parse().unwrap();
    let mut request = Request::post("/api/v1/auth/login")
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-forwarded-for", client)
        .body(Body::from(json!({"name": name, "password": "no"}).to_string()))
        .unwrap();
    request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
    tower::ServiceExt::oneshot(app.clone(), request).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_trusted_proxy_who_guesses_waits_and_others_do_not() {
    let bench = Bench::with(|config| config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).await;
    for number in 0..20 {
        assert_eq!(guess(&bench.app, "203.0.113.5", &format!("nobody-{number}")).await, 401);
    }
    assert_eq!(guess(&bench.app, "203.0.113.5", "nobody").await, 429);
    assert_eq!(guess(&bench.app, "198.51.100.7, 203.0.113.5", "nobody").await, 429, "what the client adds is not read");
    assert_eq!(guess(&bench.app, "203.0.113.6", "nobody").await, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_forwarding_header_hides_nobody() {
    let bench = Bench::new().await;
    for number in 0..20 {
        assert_eq!(guess(&bench.app, &format!("203.0.113.{number}"), &format!("nobody-{number}")).await, 401);
    }
    assert_eq!(guess(&bench.app, "203.0.113.99", "nobody").await, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_an_ipv6_network_is_one_who_guesses() {
    let bench = Bench::with(|config| config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).await;
    for number in 0..20 {
        assert_eq!(guess(&bench.app, &format!("2001:db8::{number:x}"), &format!("nobody-{number}")).await, 401);
    }
    assert_eq!(guess(&bench.app, "2001:db8::ffff", "somebody").await, 429);
    assert_eq!(guess(&bench.app, "2001:db8:0:1::1", "somebody").await, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_an_account_from_elsewhere_does_not_lock_it() {
    let bench = Bench::with(|config| config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).await;
    bench.person("admin", Role::Administrator, "").await;
    for number in 0..6 {
        assert_eq!(guess(&bench.app, "203.0.113.5", "admin").await, if number < 5 { 401 } else { 429 });
    }
    bench.post("/auth/login", "", json!({"name": "admin", "password": PASSWORD})).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_at_a_locked_account_make_no_wait_longer() {
    let bench = Bench::new().await;
    bench.person("li", Role::Viewer, "").await;
    for _ in 0..5 {
        bench.post("/auth/login", "", json!({"name": "li", "password": "no"})).await.refused(401, "wrong_password");
    }
    for _ in 0..40 {
        let locked = bench.post("/auth/login", "", json!({"name": "li", "password": PASSWORD})).await;
        locked.refused(429, "too_many_attempts");
    }
    bench.clock.advance_ms(31_000);
    bench.post("/auth/login", "", json!({"name": "li", "password": PASSWORD})).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_that_came_over_tls_travels_over_tls_alone() {
    let bench = Bench::new().await;
    bench.person("li", Role::Viewer, "").await;
    for (over_tls, marked) in [(false, false), (true, true)] {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/auth/login")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(json!({"name": "li", "password": PASSWORD}).to_string()))
            .unwrap();
        if over_tls {
            request.extensions_mut().insert(dashboards::OverTls);
        }
        let answer = bench.send(request).await;
        answer.ok();
        assert_eq!(answer.headers[header::SET_COOKIE].to_str().unwrap().contains("; Secure"), marked);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_come_is_the_senders_delay_and_not_ours() {
    let bench = Bench::with(|config| config.request_seconds_max = 1).await;
    let never = futures_util::stream::pending::<Result<axum::body::Bytes, std::convert::Infallible>>();
    let request = Request::post("/api/v1/auth/login")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from_stream(never))
        .unwrap();
    bench.send(request).await.refused(408, "timeout");
}
