//! A `promostack` process, and an admin's client for it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use promostack::integrations::http_client;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

pub const PASSWORD: &str = "correct horse battery";

/// A running `promostack serve`.
pub struct Process {
    child: Child,
    /// Where it listens, without a slash at the end.
    pub url: String,
    /// All it printed to both outputs.
    pub output: Arc<Mutex<String>>,
    http: reqwest::Client,
    token: tokio::sync::OnceCell<String>,
}

impl Process {
    /// Starts one and waits until it listens.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        Self::start_with(&["serve"], environment).await
    }

    pub async fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_promostack"));
        command
            .args(arguments)
            .env_remove("DATABASE_URL")
            .env("PORT", "0")
            .env("ADMIN_PASSWORD", PASSWORD)
            .env("JOB_LEASE_SECONDS", "10")
            .env("TELEGRAM_MESSAGES_PER_SECOND", "100000")
            .env("TELEGRAM_MESSAGES_PER_SECOND_AND_CHAT", "100000")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), output.clone());
        collect(child.stderr.take().unwrap(), output.clone());
        let mut process = Self {
            child,
            url: String::new(),
            output,
            http: http_client().unwrap(),
            token: tokio::sync::OnceCell::new(),
        };
        let url = super::eventually("the process to listen", async || {
            if let Some(status) = process.child.try_wait().unwrap() {
                panic!("promostack ended with {status}:\n{}", process.output.lock().unwrap());
            }
            let output = process.output.lock().unwrap();
            let line = output.lines().find(|line| line.contains("API and its docs"))?;
            let at = line.find("http://")?;
            Some(line[at..].split('/').take(3).collect::<Vec<_>>().join("/"))
        })
        .await;
        process.url = url;
        process
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// `kill -9`, and its end awaited.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// SIGTERM, and its end awaited.
    pub async fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.ended().await
    }

    pub async fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        super::eventually("the process to end", async || child.try_wait().unwrap()).await
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).timeout(Duration::from_secs(30))
    }

    /// A request by the admin.
    pub async fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(self.token().await)
    }

    pub async fn token(&self) -> &str {
        self.token
            .get_or_init(async || {
                let answer = self
                    .request(Method::POST, "/api/login")
                    .json(&json!({"name": "admin", "password": PASSWORD}))
                    .send()
                    .await
                    .unwrap();
                let answer: Value = answer.json().await.unwrap();
                answer["token"].as_str().unwrap_or_else(|| panic!("no token in {answer}")).to_owned()
            })
            .await
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.admin(Method::GET, path).await.send().await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "GET {path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.admin(Method::POST, path).await;
        // An empty body is no body: the actions on a campaign take none.
        let request = if body.is_null() { request } else { request.json(body) };
        request.send().await.unwrap()
    }

    /// Drafts and activates a campaign; answers its id.
    pub async fn campaign(&self, terms: Value) -> String {
        let answer = self.post("/api/campaigns", &terms).await;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let id = body["id"].as_str().unwrap().to_owned();
        let answer = self.post(&format!("/api/campaigns/{id}/activate"), &Value::Null).await;
        let status = answer.status();
        assert_eq!(status, StatusCode::OK, "{}", answer.text().await.unwrap());
        id
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(pipe: impl std::io::Read + Send + 'static, output: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    });
}
