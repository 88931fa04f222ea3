//! The description of the API (OpenAPI 3.1), made from the routes; `docs/openapi.json` is kept equal to it by a test.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::route::{Access, Operation, Surface};
use crate::control::problem::ProblemBody;
use crate::control::{ProblemKind, server};

/// The whole document.
pub fn openapi() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<ProblemBody>();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in server::routes() {
        let it = route.operation;
        if it.surface == Surface::Api {
            let described = operation(&it, &mut generator);
            paths.entry(it.path).or_default().insert(it.method.to_ascii_lowercase(), described);
        }
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "airiskguard policy server",
            "version": "1",
            "description": "Teams, keys, policies, gateways, the audit log and the people who look after them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token, or a gateway's own"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-airiskguard"},
            },
            "responses": {"Problem": {
                "description": "Why it was not done",
                "content": {"application/problem+json": {"schema": problem}},
            }},
        },
    })
}

fn operation(it: &Operation, generator: &mut schemars::SchemaGenerator) -> Value {
    let mut described = json!({
        "operationId": it.id,
        "tags": [it.id.split('.').next().unwrap_or_default()],
        "summary": it.summary,
        "responses": responses(it, generator),
    });
    let access = match it.access {
        Access::Open(reason) => {
            described["security"] = json!([]);
            format!("Open: {reason}.")
        }
        Access::SignedIn => "For everyone who is signed in.".to_owned(),
        Access::Gateway => "For enrolled gateways.".to_owned(),
        Access::May(permission) => {
            let name = serde_json::to_value(permission).unwrap_or_default();
            format!("Needs the permission `{}`.", name.as_str().unwrap_or_default())
        }
    };
    described["description"] = access.into();
    let mut parameters = path_parameters(it.path);
    if let Some(asks) = it.asks {
        parameters.extend(query_parameters(asks, generator));
    }
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(takes) = it.takes {
        let schema = takes(generator);
        described["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    described
}

fn responses(it: &Operation, generator: &mut schemars::SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let (status, done) = match (it.gives, it.kind) {
        (None, None) => ("204", json!({"description": "Done"})),
        (None, Some(kind)) => ("200", json!({"description": "Done", "content": {kind: {}}})),
        (Some(gives), _) => {
            let schema = gives(generator);
            let done = json!({"description": "Done", "content": {"application/json": {"schema": schema}}});
            (if it.makes { "201" } else { "200" }, done)
        }
    };
    responses.insert(status.to_owned(), done);
    let internal = ProblemKind::Internal.status();
    for (status, _) in ProblemKind::statuses().filter(|(status, _)| *status != internal) {
        responses.insert(status.to_string(), json!({"$ref": "#/components/responses/Problem"}));
    }
    responses.into()
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|it| it.split('}').next());
    names
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}))
        .collect()
}

/// Each property of the query's type is a parameter.
fn query_parameters(asks: super::route::SchemaOf, generator: &mut schemars::SchemaGenerator) -> Vec<Value> {
    let schema = asks(generator);
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|it| it.rsplit('/').next()).unwrap_or_default();
    let definition = generator.definitions().get(name).cloned().unwrap_or_default();
    let required = definition["required"].as_array().cloned().unwrap_or_default();
    let properties = definition["properties"].as_object().cloned().unwrap_or_default();
    properties
        .into_iter()
        .map(|(name, mut schema)| {
            let description = schema.get("description").cloned().unwrap_or_default();
            if let Some(fields) = schema.as_object_mut() {
                fields.remove("description");
            }
            let required = required.iter().any(|it| it == &name);
            json!({"name": name, "in": "query", "required": required, "description": description, "schema": schema})
        })
        .collect()
}
