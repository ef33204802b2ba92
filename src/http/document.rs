//! The OpenAPI document: what poem-openapi makes of the types, and on top of it
//! what follows from the types by rules, so that it is never written twice:
//! which credentials and scope an operation needs, which problems it may answer,
//! and the examples.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    auth::{SCHEMES, SCOPE_MARK},
    edge::REQUEST_ID,
    problem::{Kind, MEDIA_TYPE},
};

/// Of operations, as the document writes them.
pub(super) const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The forms of parameters that are texts for the types.
const FORMS: [(&str, &str); 7] = [
    ("Idempotency-Key", "^[!-~]{1,255}$"),
    ("If-Match", ENTITY_TAGS),
    ("If-None-Match", ENTITY_TAGS),
    ("Last-Event-ID", "^[0-9]{1,16}$"),
    ("code", "^[A-Za-z0-9_-]{3,32}$"),
    ("cursor", "^[0-9a-zA-Z-]+$"),
    ("stream", "/"),
];
const ENTITY_TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;

/// The document, complete.
pub(super) fn finish(spec: &str) -> Value {
    // Our own text of a moment ago.
    let mut document: Value = serde_json::from_str(spec).unwrap_or_default();
    let schemas = document["components"]["schemas"].clone();
    let mut problems = Map::new();
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths {
            for method in METHODS {
                if let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) {
                    finish_operation(operation, path, method, &schemas, &mut problems);
                }
            }
        }
    }
    close_bodies(&mut document);
    document["components"]["responses"] = Value::Object(problems);
    let schemas = &mut document["components"]["schemas"];
    schemas["Problem"] = problem_schema();
    schemas["FieldError"] = field_error_schema();
    document["components"]["headers"]["RequestId"] = json!({
        "description": "The id of the request: the correlation id of the events it led to, and in our log. A UUID sent in the same header is kept.",
        "schema": { "type": "string", "format": "uuid" },
    });
    tidy(&mut document);
    document
}

/// Bodies have the fields they are said to have and no others.
fn close_bodies(document: &mut Value) {
    let mut bodies = vec![];
    for item in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for method in METHODS {
            let schema = &item[method]["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            bodies.extend(schema.as_str().and_then(|name| name.rsplit('/').next()).map(str::to_owned));
        }
    }
    for body in bodies {
        document["components"]["schemas"][body]["additionalProperties"] = json!(false);
    }
}

/// Takes away what says nothing, and the decimal point of whole numbers.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| !(key == "deprecated" && *value == false || key == "explode" && *value == true));
            for (key, value) in map {
                if matches!(key.as_str(), "minimum" | "maximum")
                    && let Some(whole) = value.as_f64().filter(|number| number.fract() == 0.0)
                {
                    // Limits are far inside i64.
                    *value = json!(whole as i64);
                }
                tidy(value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn finish_operation(
    operation: &mut Map<String, Value>,
    path: &str,
    method: &str,
    schemas: &Value,
    problems: &mut Map<String, Value>,
) {
    let need = need(operation);
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        // Its absence has a problem of its own, so the type does not say so.
        if parameter["name"] == "If-Match" && needs_version(path) {
            parameter["required"] = json!(true);
        }
        if let Some((_, form)) = FORMS.iter().find(|(name, _)| parameter["name"] == *name) {
            parameter["schema"]["pattern"] = json!(form);
        }
    }
    let mut kinds = kinds_by_rule(operation, path, method, need.as_deref());
    describe(operation, need.as_deref(), &mut kinds);
    if let Some(content) = operation.get_mut("requestBody").and_then(|body| body.get_mut("content")) {
        give_examples(content, schemas);
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for response in responses.values_mut() {
        if response["description"] == "" {
            response["description"] = json!(description_of(&response["content"], schemas).unwrap_or("As wished."));
        }
        if let Some(content) = response.get_mut("content") {
            give_examples(content, schemas);
        }
        if let Some(headers) = response.get_mut("headers").and_then(Value::as_object_mut) {
            *headers = std::mem::take(headers).into_iter().map(|(name, header)| (header_name(&name), header)).collect();
        }
    }
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in kinds {
        let same = by_status.entry(kind.status().as_u16()).or_default();
        if !same.contains(&kind) {
            same.push(kind);
        }
    }
    for response in responses.values_mut() {
        response["headers"][REQUEST_ID] = request_id();
    }
    for (status, kinds) in by_status {
        let name = kinds.iter().map(|kind| kind.slug()).collect::<Vec<_>>().join(".");
        responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }));
        problems.entry(name).or_insert_with(|| problem_response(&kinds));
    }
}

fn request_id() -> Value {
    json!({ "$ref": "#/components/headers/RequestId" })
}

/// Takes the pseudo scheme that names the operation's need out of its security.
fn need(operation: &mut Map<String, Value>) -> Option<String> {
    let security = operation.get_mut("security")?.as_array_mut()?;
    let mark = security.iter().find_map(|scheme| {
        scheme.as_object()?.keys().find_map(|name| name.strip_prefix(SCOPE_MARK)).map(str::to_owned)
    })?;
    *security = SCHEMES
        .iter()
        // A key cannot manage keys.
        .filter(|scheme| mark != "admin" || **scheme != SCHEMES[1])
        .map(|scheme| json!({ *scheme: [] }))
        .collect();
    Some(mark)
}

/// Whether what has a version is changed only on one that was seen. A decision may be made
/// without having seen one.
fn needs_version(path: &str) -> bool {
    !path.starts_with("/api/submissions/")
}

fn kinds_by_rule(operation: &Map<String, Value>, path: &str, method: &str, need: Option<&str>) -> Vec<Kind> {
    let parameters = operation.get("parameters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let has = |name: &str| {
        let is_it = |parameter: &Value| parameter["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name));
        parameters.iter().any(is_it)
    };
    let changes = method != "get";
    let mut kinds = vec![Kind::Internal];
    if path != "/api/health/live" {
        kinds.push(Kind::DatabaseUnavailable);
    }
    if need.is_some() {
        kinds.push(Kind::Unauthenticated);
    }
    match need {
        Some("admin") => kinds.push(Kind::AdminNeeded),
        Some("login") | None => {}
        Some(_) => kinds.push(Kind::ScopeMissing),
    }
    if need.is_some() && changes {
        kinds.push(Kind::CrossSite);
    }
    let body = operation.contains_key("requestBody");
    if body {
        kinds.extend([Kind::BodyTooSlow, Kind::BodyTooLarge]);
    }
    if body && need != Some("telegram") && !has("X-Telegram-Bot-Api-Secret-Token") && !has("Stripe-Signature") {
        kinds.push(Kind::MediaType);
    }
    // Any request can have a NUL in its query.
    kinds.push(Kind::InvalidInput);
    if has("If-Match") {
        kinds.push(Kind::PreconditionFailed);
        kinds.extend(needs_version(path).then_some(Kind::PreconditionRequired));
    }
    if has("min_position") {
        kinds.extend([Kind::PositionUnknown, Kind::ReadModelBehind]);
    }
    if has("Idempotency-Key") {
        kinds.extend([Kind::KeyReused, Kind::Unstorable, Kind::Busy, Kind::Overloaded, Kind::Stopping]);
    }
    if path.starts_with("/api/campaigns/{id}") {
        kinds.push(Kind::CampaignMissing);
    }
    if path.starts_with("/api/templates/{id}") {
        kinds.push(Kind::TemplateMissing);
    }
    if path.starts_with("/api/broadcasts/{id}") {
        kinds.push(Kind::BroadcastMissing);
    }
    if path.starts_with("/api/plans/{id}") {
        kinds.push(Kind::PlanMissing);
    }
    if path.starts_with("/api/telegram-subscriptions/{id}") {
        kinds.push(Kind::SubscriptionMissing);
    }
    if path.starts_with("/api/forex-signals/{number}") {
        kinds.push(Kind::SignalMissing);
    }
    if path.starts_with("/api/bot-users/{id}") {
        kinds.push(Kind::BotUserMissing);
    }
    kinds
}

/// Says in the description what is needed, and takes out of it the line that
/// names the operation's own problems.
fn describe(operation: &mut Map<String, Value>, need: Option<&str>, kinds: &mut Vec<Kind>) {
    let written = operation.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (text, own) = written.split_once("Problems: ").unwrap_or((&written, ""));
    let own = own.split([',', ' ', '\n']).filter(|slug| !slug.is_empty());
    kinds.extend(own.filter_map(|slug| Kind::ALL.iter().find(|kind| kind.slug() == slug)));
    let needs = match need {
        None => "Open to all.".to_owned(),
        Some("login") => "Needs any valid credentials.".to_owned(),
        Some("admin") => "Needs an admin.".to_owned(),
        Some(scope) => format!("Needs the scope `{scope}`."),
    };
    operation.insert("description".to_owned(), json!(format!("{}\n\n{needs}", text.trim())));
    if let Some(need) = need {
        operation.insert("x-needs".to_owned(), json!(need));
    }
}

fn problem_response(kinds: &[Kind]) -> Value {
    let description: Vec<String> = kinds.iter().map(|kind| format!("`{}`: {}.", kind.slug(), kind.title())).collect();
    let example = kinds.first().map(|kind| {
        let mut problem = json!({
            "type": kind.uri(),
            "title": kind.title(),
            "status": kind.status().as_u16(),
            "detail": kind.detail(),
            "instance": "urn:uuid:01935c2e-7b4a-7c31-9f05-5d1a8e6204b8",
        });
        if matches!(kind, Kind::InvalidInput | Kind::InvalidTerms) {
            problem["errors"] = json!([{ "field": "limit_per_person", "reason": "must not be more than total_limit" }]);
        }
        problem
    });
    json!({
        "description": description.join("\n\n"),
        "headers": { REQUEST_ID: request_id() },
        "content": { MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" }, "example": example } },
    })
}

/// Every content has an example: its schema's.
fn give_examples(content: &mut Value, schemas: &Value) {
    let Some(content) = content.as_object_mut() else { return };
    for media in content.values_mut() {
        let schema = &media["schema"];
        let example = if schema["type"] == "array" {
            example_of(&schema["items"], schemas).map(|item| json!([item]))
        } else {
            example_of(schema, schemas)
        };
        if let Some(example) = example
            && media.get("example").is_none()
        {
            media["example"] = example;
        }
    }
    // One name for one thing, here and in what is sent.
    if let Some(media) = content.remove("application/json; charset=utf-8") {
        content.insert("application/json".to_owned(), media);
    }
}

/// What the schema of a content says that it is.
fn description_of<'a>(content: &Value, schemas: &'a Value) -> Option<&'a str> {
    let media = content.as_object()?.values().next()?;
    let name = media["schema"].get("$ref")?.as_str()?.rsplit('/').next()?;
    schemas.get(name)?.get("description")?.as_str()
}

fn example_of(schema: &Value, schemas: &Value) -> Option<Value> {
    if let Some(example) = schema.get("example") {
        return Some(example.clone());
    }
    let name = schema.get("$ref")?.as_str()?.rsplit('/').next()?;
    schemas.get(name)?.get("example").cloned()
}

/// poem-openapi writes names of headers in capitals.
fn header_name(name: &str) -> String {
    if name.eq_ignore_ascii_case("etag") {
        return "ETag".to_owned();
    }
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

fn problem_schema() -> Value {
    let slugs: Vec<String> = Kind::ALL.iter().map(|kind| kind.uri()).collect();
    json!({
        "type": "object",
        "description": "Why the answer is not the wished one (RFC 9457).",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": { "type": "string", "enum": slugs, "description": "Which problem: stable, to be compared as a text, and the path of a page about it." },
            "title": { "type": "string", "description": "What it is, in few words." },
            "status": { "type": "integer", "format": "int32", "description": "As the status of the response." },
            "detail": { "type": "string", "description": "What it means here and what to do." },
            "instance": { "type": "string", "description": "The id of the request." },
            "errors": {
                "type": "array",
                "description": "The parts of the request that are wrong.",
                "items": { "$ref": "#/components/schemas/FieldError" },
            },
        },
    })
}

fn field_error_schema() -> Value {
    json!({
        "type": "object",
        "description": "What is wrong with one part of a request.",
        "required": ["field", "reason"],
        "properties": {
            "field": { "type": "string", "description": "The field of the body (or `body` itself), the parameter or the header." },
            "reason": { "type": "string", "description": "What is wrong with it." },
        },
    })
}
