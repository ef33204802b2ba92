//! The published document: complete, up to date, and true about who may do what.

use std::path::Path;

use serde_json::Value;

use crate::{
    database::Database,
    world::{Send, World},
};

/// Operations that need no credentials. Everything else does.
const OPEN: [&str; 9] = [
    "getHealth",
    "getLiveness",
    "getReadiness",
    "goToPortal",
    "login",
    "logout",
    "takeForexTelegramUpdate",
    "takeStripeEvent",
    "takeTelegramUpdate",
];

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Every operation: method, path, and what the document says of it.
pub(crate) fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| {
            item.get(method).map(|operation| ((*method).to_uppercase(), path.clone(), operation.clone()))
        })
    });
    all.collect()
}

/// What a `$ref` stands for.
pub(crate) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value.get("$ref").and_then(Value::as_str).map(|target| target.trim_start_matches('#'));
    target.map_or(value, |target| document.pointer(target).unwrap())
}

/// Whether the operation that was asked may answer with this problem; none when there
/// is no such operation.
pub(crate) fn declares(document: &Value, method: &str, path: &str, status: u16, problem: &str) -> Option<bool> {
    let segments = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    let parts = segments(path.split('?').next().unwrap());
    let operation = operations(document).into_iter().filter(|(of, pattern, _)| {
        let pattern = segments(pattern);
        *of == method
            && pattern.len() == parts.len()
            && pattern.iter().zip(&parts).all(|(pattern, part)| pattern.starts_with('{') || pattern == part)
    });
    let (_, _, operation) = operation.min_by_key(|(_, pattern, _)| pattern.matches('{').count())?;
    let response = resolve(document, &operation["responses"][status.to_string()]);
    let slug = format!("`{problem}`");
    Some(response["description"].as_str().is_some_and(|text| text.contains(&slug)))
}

async fn document() -> Value {
    let database = Database::fresh().await;
    let config = crate::world::config(&crate::world::variables());
    let app = promostack::app::App::build(config, &database.url, promostack::clock::Clock::system()).unwrap();
    let text = promostack::http::document(&app);
    drop(database);
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "the tests' own entrance")]
async fn the_published_document_is_the_one_that_is_served() {
    let world = World::new().await;
    let served = world.plain("GET", "/api/openapi.json").answer().await;
    let text = promostack::http::document(&world.app);
    assert_eq!(served.json, serde_json::from_str::<Value>(&text).unwrap());
    world.end().await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/promostack.json");
    if std::env::var("UPDATE_OPENAPI").is_ok() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == text, "{} is not up to date; run with UPDATE_OPENAPI=1", path.display());
}

#[tokio::test]
async fn every_operation_is_explained() {
    let document = document().await;
    for text in ["/info/title", "/info/description", "/info/version", "/servers/0/url"] {
        assert!(document.pointer(text).and_then(Value::as_str).is_some_and(|text| !text.is_empty()), "{text}");
    }
    let operations = operations(&document);
    assert!(operations.len() > 20);
    for (method, path, operation) in &operations {
        let what = format!("{method} {path}");
        let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        assert!(text(&operation["operationId"]), "{what}");
        assert!(text(&operation["summary"]), "{what}");
        let description = operation["description"].as_str().unwrap_or_default();
        assert!(description.len() > 40, "{what}: {description}");
        assert!(!description.contains("Problems:"), "{what}: {description}");
        assert!(operation["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{what}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(text(&parameter["description"]), "{what}: {parameter}");
        }
        if let Some(body) = operation.get("requestBody") {
            let content = body["content"].as_object().unwrap();
            for (media, content) in content {
                assert!(content.get("example").is_some(), "{what}: no example for {media}");
            }
        }
        let responses = operation["responses"].as_object().unwrap();
        let mut good = 0;
        for (status, response) in responses {
            let response = resolve(&document, response);
            assert!(text(&response["description"]), "{what}: {status}");
            if !status.starts_with(['4', '5']) {
                good += 1;
                for (media, content) in response["content"].as_object().into_iter().flatten() {
                    assert!(content.get("example").is_some(), "{what}: no example for {status} {media}");
                }
            } else {
                let content = response["content"].as_object().unwrap();
                assert_eq!(content.keys().collect::<Vec<_>>(), ["application/problem+json"], "{what}: {status}");
            }
        }
        assert!(good > 0 && responses.contains_key("400") && responses.contains_key("500"), "{what}");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (property, of) in schema["properties"].as_object().into_iter().flatten() {
            let described = of.get("description").is_some() || of.to_string().contains("\"description\"");
            assert!(described || of.get("$ref").is_some() || of.get("allOf").is_some(), "{name}.{property}: {of}");
        }
    }
}

#[tokio::test]
async fn whoever_may_not_is_refused() {
    let world = World::new().await;
    let document = world.plain("GET", "/api/openapi.json").answer().await.json;
    let scopes = promostack::access::Scope::ALL.map(promostack::access::Scope::as_str);
    let nothing = world.key("nothing", &[]).await;
    let mut without = vec![];
    let mut only = vec![];
    for scope in scopes {
        let others: Vec<&str> = scopes.into_iter().filter(|other| *other != scope).collect();
        let plain = scope.replace(':', "-");
        without.push((scope, world.key(&format!("without-{plain}"), &others).await));
        only.push((scope, world.key(&format!("only-{plain}"), &[scope]).await));
    }
    let mut open = vec![];
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        let Some(need) = operation["x-needs"].as_str() else {
            assert_eq!(operation.get("security"), None, "{id}");
            open.push(id.to_owned());
            continue;
        };
        let path = path
            .replace("{id}", if path.starts_with("/api/jobs") { "1" } else { "01935c2e-7b4a-7c31-9f05-5d1a8e6204b7" })
            .replace("{position}", "1");
        // Nothing else in the request is right: who may not learns nothing about it.
        let send = |credential: Option<&str>| {
            let request = world.plain(&method, &path).header("content-type", "text/plain").body("?");
            match credential {
                Some(key) => request.bearer_auth(key).answer(),
                None => request.answer(),
            }
        };
        let refused = send(None).await;
        refused.expect(401, "unauthenticated");
        assert!(refused.header("www-authenticate").starts_with("Bearer"), "{refused:?}");
        send(Some("ps_00000000000000000000000000000000")).await.expect(401, "unauthenticated");
        send(Some("a.b.c")).await.expect(401, "unauthenticated");
        match need {
            "login" => assert_eq!(send(Some(&nothing)).await.status, 200, "{id}"),
            "admin" => {
                for (_, key) in &without {
                    send(Some(key)).await.expect(403, "admin-needed");
                }
            }
            scope => {
                for key in [&nothing, &without.iter().find(|(missing, _)| *missing == scope).unwrap().1] {
                    let refused = send(Some(key)).await;
                    refused.expect(403, "scope-missing");
                    assert!(refused.json["detail"].as_str().unwrap().contains(scope), "{refused:?}");
                }
                let key = &only.iter().find(|(has, _)| *has == scope).unwrap().1;
                if id != "followEvents" {
                    let answer = send(Some(key)).await;
                    assert!(answer.status != 401 && answer.status != 403, "{id}: {answer:?}");
                }
            }
        }
    }
    open.sort();
    assert_eq!(open, OPEN, "operations that are open to all are on the list");
    for credential in [None, Some(&nothing)] {
        let request = world.plain("GET", "/metrics");
        let request = if let Some(key) = credential { request.bearer_auth(key) } else { request };
        assert!(request.answer().await.status.is_client_error());
    }
    world.end().await;
}
