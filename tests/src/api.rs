//! A client of the HTTP API, logged in with a session cookie like a browser.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    client: Client,
    cookie: String,
}

impl Api {
    /// Logs in.
    pub async fn login(base: &str, name: &str, password: &str) -> Result<Self> {
        let client = Client::builder().timeout(Duration::from_secs(30)).build()?;
        let answer = client
            .post(format!("{base}/api/v1/auth/login"))
            .header("origin", base)
            .json(&json!({"name": name, "password": password}))
            .send()
            .await?;
        ensure!(
            answer.status().is_success(),
            "log in: {} {}",
            answer.status(),
            answer.text().await.unwrap_or_default()
        );
        let cookie = answer.headers().get("set-cookie").context("no cookie came with the login")?.to_str()?;
        let cookie = cookie.split(';').next().context("an empty cookie")?.to_owned();
        Ok(Self { base: base.to_owned(), client, cookie })
    }

    /// Logs in with a one-time password and changes it.
    pub async fn login_first(base: &str, name: &str, once: &str, password: &str) -> Result<Self> {
        let first = Self::login(base, name, once).await?;
        first.send(Method::POST, "/api/v1/auth/password", Some(json!({"old": once, "new": password}))).await?;
        Self::login(base, name, password).await
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// The status and body of any request.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<(StatusCode, Value)> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("origin", &self.base)
            .header("idempotency-key", format!("{:032x}", unique()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.with_context(|| format!("ask {path}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// The same; any status but 2xx is an error.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let (status, answer) = self.ask(method.clone(), path, body).await?;
        ensure!(status.is_success(), "{method} {path}: {status} {answer}");
        Ok(answer)
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.send(Method::POST, path, Some(body)).await
    }
}

fn unique() -> u128 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(1);
    u128::from(std::process::id()) << 64 | u128::from(COUNT.fetch_add(1, Ordering::Relaxed))
}
