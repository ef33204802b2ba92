//! What the document says of the paths: for what the library leaves unsaid.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{document::METHODS, problem::FieldError};

/// All paths of the document.
#[derive(Debug, Default)]
pub(super) struct Paths(Vec<Path>);

#[derive(Debug)]
struct Path {
    parts: Vec<String>,
    /// As in the header Allow.
    methods: String,
    /// By method.
    operations: BTreeMap<&'static str, Query>,
}

/// Parameters by name, each with the values it may have, if these are listed.
type Query = BTreeMap<String, Option<String>>;

impl Paths {
    pub(super) fn in_document(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        Self(paths.map(|(path, item)| Path::new(path, item, &document["components"]["schemas"])).collect())
    }

    /// The methods of a path, for the header Allow.
    pub(super) fn methods(&self, path: &str) -> Option<&str> {
        self.find(path).map(|path| path.methods.as_str())
    }

    /// Refuses a query with a parameter that the operation does not have, for a filter with
    /// a typing error would filter nothing; and with one that comes twice, for the operation
    /// would see the first one only.
    pub(super) fn check_query<'a>(
        &self,
        method: &str,
        path: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<(), FieldError> {
        let Some(query) = self.query(method, path) else { return Ok(()) };
        let mut seen = BTreeSet::new();
        for name in names {
            // A name may be as long as a query.
            let field = || name.chars().take(64).collect();
            if !seen.insert(name) {
                return Err(FieldError { field: field(), reason: "must be given once".to_owned() });
            }
            if !query.contains_key(name) {
                let there_are = query.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let reason = match there_are.as_str() {
                    "" => "is not a parameter of this operation, which has none".to_owned(),
                    there_are => format!("is not a parameter of this operation, which has {there_are}"),
                };
                return Err(FieldError { field: field(), reason });
            }
        }
        Ok(())
    }

    /// The values that a parameter may have, if they are listed.
    pub(super) fn values(&self, method: &str, path: &str, parameter: &str) -> Option<&str> {
        self.query(method, path)?.get(parameter)?.as_deref()
    }

    fn query(&self, method: &str, path: &str) -> Option<&Query> {
        let method = if method == "HEAD" { "GET" } else { method };
        let operations = &self.find(path)?.operations;
        operations.iter().find(|(known, _)| known.eq_ignore_ascii_case(method)).map(|(_, query)| query)
    }

    /// The path with fewer variable parts, if several fit.
    fn find(&self, path: &str) -> Option<&Path> {
        let parts: Vec<&str> = path.split('/').collect();
        let variable = |pattern: &&Path| pattern.parts.iter().filter(|part| part.starts_with('{')).count();
        self.0.iter().filter(|pattern| pattern.fits(&parts)).min_by_key(variable)
    }
}

impl Path {
    fn new(path: &str, item: &Value, schemas: &Value) -> Self {
        let operations = METHODS.iter().filter_map(|method| Some((*method, item.get(method)?)));
        let operations: BTreeMap<_, _> = operations.collect();
        let methods = METHODS.iter().filter(|method| operations.contains_key(*method)).map(|method| match *method {
            "get" => "GET, HEAD".to_owned(),
            other => other.to_ascii_uppercase(),
        });
        Self {
            parts: path.split('/').map(str::to_owned).collect(),
            methods: methods.collect::<Vec<_>>().join(", "),
            // What is open to all may get parameters of others: of those who send webhooks, of
            // probes, of whoever wraps a link to follow who opens it.
            operations: operations
                .into_iter()
                .filter(|(_, operation)| operation.get("x-needs").is_some())
                .map(|(method, operation)| (method, query(operation, schemas)))
                .collect(),
        }
    }

    fn fits(&self, parts: &[&str]) -> bool {
        self.parts.len() == parts.len()
            && self.parts.iter().zip(parts).all(|(pattern, part)| pattern.starts_with('{') || pattern == part)
    }
}

fn query(operation: &Value, schemas: &Value) -> Query {
    let parameters = operation["parameters"].as_array().into_iter().flatten().filter_map(Value::as_object);
    let in_query = parameters.filter(|parameter| parameter.get("in").is_some_and(|place| place == "query"));
    let named = |parameter: &Map<String, Value>| {
        let schema = parameter.get("schema")?;
        let name = parameter.get("name")?.as_str()?.to_owned();
        // With a default value it is one of several.
        let schema = schema["allOf"].get(0).unwrap_or(schema);
        let schema = schema["$ref"].as_str().and_then(|name| schemas.get(name.rsplit('/').next()?)).unwrap_or(schema);
        let values =
            schema["enum"].as_array().map(|values| values.iter().filter_map(Value::as_str).collect::<Vec<_>>());
        Some((name, values.map(|values| values.join(", "))))
    };
    in_query.filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths() -> Paths {
        let limit = json!({ "in": "query", "name": "limit", "schema": { "type": "integer" } });
        let sort =
            json!({ "allOf": [{ "$ref": "#/components/schemas/Sort" }, { "default": "name" }], "default": "name" });
        let sort = json!({ "in": "query", "name": "sort", "schema": sort });
        let status = json!({ "in": "query", "name": "status", "schema": { "$ref": "#/components/schemas/Status" } });
        let id = json!({ "in": "path", "name": "id", "schema": { "type": "string" } });
        Paths::in_document(&json!({
            "paths": {
                "/a": {
                    "post": { "x-needs": "login", "parameters": [] },
                    "get": { "x-needs": "login", "parameters": [status, sort, limit] },
                },
                "/a/{id}": { "get": { "x-needs": "login", "parameters": [id] } },
                "/a/b": { "delete": { "x-needs": "admin" } },
                "/hook": { "post": {} },
            },
            "components": { "schemas": {
                "Status": { "enum": ["draft", "active"] },
                "Sort": { "enum": ["name", "-name"] },
            } },
        }))
    }

    #[test]
    fn a_path_has_the_methods_of_the_one_that_fits_best() {
        let paths = paths();
        for (path, methods) in
            [("/a", Some("GET, HEAD, POST")), ("/a/b", Some("DELETE")), ("/a/c", Some("GET, HEAD")), ("/b", None)]
        {
            assert_eq!(paths.methods(path), methods, "{path}");
        }
    }

    #[test]
    fn a_query_has_the_parameters_of_its_operation_and_no_others() {
        let paths = paths();
        let refused = |method, path, name: &'static str| {
            paths.check_query(method, path, name.split('+')).err().map(|error| error.reason)
        };
        for (method, path, name, reason) in [
            ("GET", "/a", "limit", None),
            ("HEAD", "/a", "status+limit", None),
            ("GET", "/a", "limit+status+limit", Some("must be given once")),
            ("GET", "/a", "limitt", Some("is not a parameter of this operation, which has limit, sort, status")),
            ("POST", "/a", "limit", Some("is not a parameter of this operation, which has none")),
            ("GET", "/a/1", "id", Some("is not a parameter of this operation, which has none")),
            ("POST", "/hook", "anything+anything", None),
            ("GET", "/elsewhere", "anything+anything", None),
            ("DELETE", "/a", "anything", None),
        ] {
            assert_eq!(refused(method, path, name).as_deref(), reason, "{method} {path} {name}");
        }
        assert_eq!(paths.values("GET", "/a", "status"), Some("draft, active"));
        assert_eq!(paths.values("GET", "/a", "sort"), Some("name, -name"));
        assert_eq!(paths.values("GET", "/a", "limit"), None);
    }
}
