//! The client against a server on loopback that answers as the documentation shows.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use poem::{
    EndpointExt, IntoResponse, Response, Route, handler,
    http::{HeaderMap, StatusCode},
    listener::TcpAcceptor,
    post,
    web::Data,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::{config, integrations::http_client, secrets::Secret};

/// The key and the body of a request.
type Asked = (Option<String>, Value);

/// What it was asked, and what it answers.
#[derive(Clone)]
struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    wait: Duration,
}

impl Server {
    fn answers(status: u16, body: impl ToString) -> Self {
        Self { asked: Arc::default(), status, headers: vec![], body: body.to_string(), wait: Duration::ZERO }
    }
}

#[handler]
async fn complete(Data(server): Data<&Server>, headers: &HeaderMap, body: String) -> Response {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    server.asked.lock().unwrap().push((key, serde_json::from_str(&body).unwrap()));
    tokio::time::sleep(server.wait).await;
    let mut response = server.body.clone().with_status(StatusCode::from_u16(server.status).unwrap()).into_response();
    for (name, value) in &server.headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

/// Serves one and has a text written by it.
async fn ask(server: Server) -> Result<String, CopywriterError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Route::new().at("/v1/chat/completions", post(complete)).data(server);
    let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
    tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(routes));
    let config = config::Copywriter {
        key: Some(Secret::new("sk-secret".to_owned())),
        url: Some(Url::parse(&format!("http://{address}/v1")).unwrap()),
        model: "gpt-4o-mini".to_owned(),
    };
    let copywriter =
        Copywriter::new(&config, http_client().unwrap()).unwrap().with_deadline(Duration::from_millis(700));
    let written = copywriter.write("You write.", "TP1: 4012.50").await;
    if let Err(error) = &written {
        let words = format!("{error:?} {error} {}", crate::jobs::chain(error));
        assert!(!words.contains("secret") && !words.contains("4012"), "{words}");
    }
    written
}

/// As in the reference of `POST /chat/completions`.
fn completion(content: Value, finish_reason: &str) -> Value {
    json!({
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1_741_569_952,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": content, "refusal": null, "annotations": [] },
            "logprobs": null,
            "finish_reason": finish_reason,
        }],
        "usage": { "prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29 },
        "service_tier": "default",
    })
}

fn failure(code: &str, kind: &str) -> Value {
    json!({ "error": { "message": "secret words", "type": kind, "param": null, "code": code } })
}

#[tokio::test]
async fn asks_as_documented_and_reads_the_text() {
    let server = Server::answers(200, completion(json!("Halfway there."), "stop"));
    let asked = server.asked.clone();
    assert_eq!(ask(server).await.unwrap(), "Halfway there.");
    let asked = asked.lock().unwrap().pop().unwrap();
    let request = json!({
        "model": "gpt-4o-mini",
        "messages": [{ "role": "system", "content": "You write." }, { "role": "user", "content": "TP1: 4012.50" }],
        "max_completion_tokens": 1000,
    });
    assert_eq!(asked, (Some("Bearer sk-secret".to_owned()), request));
}

#[tokio::test]
async fn says_why_there_is_no_text() {
    let busy = Server {
        headers: vec![("retry-after", "20")],
        ..Server::answers(429, failure("rate_limit_exceeded", "requests"))
    };
    let after = Some(Duration::from_secs(20));
    assert!(matches!(ask(busy).await, Err(CopywriterError::Busy { after: told }) if told == after));
    let poor = Server::answers(429, failure("insufficient_quota", "insufficient_quota"));
    assert!(matches!(ask(poor).await, Err(CopywriterError::Quota)));
    let stranger = Server::answers(401, failure("invalid_api_key", "invalid_request_error"));
    assert!(matches!(ask(stranger).await, Err(CopywriterError::Unauthorized { status: 401 })));
    let unknown = Server::answers(404, failure("model_not_found", "invalid_request_error"));
    let error = ask(unknown).await.unwrap_err();
    assert_eq!(error.to_string(), "the copywriter rejected the request with status 404 (model_not_found)");
    for status in [500, 502, 503] {
        let failed = Server::answers(status, "<html>secret</html>");
        let answer = ask(failed).await;
        assert!(matches!(answer, Err(CopywriterError::Unavailable { source: Outage::Status(s) }) if s == status));
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_no_text() {
    for body in ["", "null", "{\"choices\":", "{\"choices\":7}", "<html></html>"] {
        let answer = ask(Server::answers(200, body)).await;
        let unreadable = matches!(answer, Err(CopywriterError::Unavailable { source: Outage::Unreadable { .. } }));
        assert!(unreadable, "{body}");
    }
    for empty in [json!({ "choices": [] }), completion(json!(null), "stop"), completion(json!("  \n"), "stop")] {
        assert!(matches!(ask(Server::answers(200, empty)).await, Err(CopywriterError::Nothing)));
    }
    for reason in ["length", "content_filter", "tool_calls"] {
        let cut = Server::answers(200, completion(json!("Halfway"), reason));
        assert!(matches!(ask(cut).await, Err(CopywriterError::Unfinished { .. })), "{reason}");
    }
    let mut refusal = completion(json!(null), "stop");
    refusal["choices"][0]["message"]["refusal"] = json!("secret");
    assert!(matches!(ask(Server::answers(200, refusal)).await, Err(CopywriterError::Unfinished { reason: "refusal" })));
    let endless = Server::answers(200, completion(json!("x".repeat(300_000)), "stop"));
    assert!(matches!(ask(endless).await, Err(CopywriterError::Unavailable { source: Outage::TooLong })));
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    let slow = Server { wait: Duration::from_secs(30), ..Server::answers(200, completion(json!("Late."), "stop")) };
    let began = Instant::now();
    let answer = ask(slow).await;
    assert!(
        matches!(answer, Err(CopywriterError::Unavailable { source: Outage::Network(error) }) if error.is_timeout())
    );
    assert!(began.elapsed() < Duration::from_secs(10));
}
