//! The Hub's API: one model with its mapping, lists with paging, partners, and who a token belongs to.

use serde_json::{Map, Value, json};

use crate::ask::Ask;
use crate::backends;
use crate::chat::errors::{Kind, Refusal, Shape};
use crate::faults::Faults;
use crate::knobs::Knobs;
use crate::place::Hub;
use crate::reply::Reply;
use crate::tokens::Class;
use crate::world::{self, Access, Mapping, Model, Route};

const EXPANDABLE: &[&str] = &[
    "author",
    "createdAt",
    "downloads",
    "gated",
    "inference",
    "inferenceProviderMapping",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "private",
    "sha",
    "tags",
    "trendingScore",
];

pub(crate) fn answer(ask: &Ask, hub: &Hub, faults: &Faults) -> Reply {
    // Only tokens of its own: another service's key here would be a leak, and it says so.
    if !matches!(ask.credential.class, Class::None | Class::Hf) {
        return Refusal::new(Kind::Key, "").reply(Shape::Router).with("x-error-code", "Unauthorized");
    }
    if ask.method != "GET" {
        return Reply::json(405, r#"{"error":"Method not allowed"}"#);
    }
    match hub {
        Hub::Model(id) => model(ask, id, faults),
        Hub::List => list(ask, faults),
        Hub::Whoami => whoami(ask),
        Hub::Partners(id) => partners(ask, id, faults),
        Hub::Unknown => Reply::json(404, r#"{"error":"Sorry, we can't find the page you are looking for."}"#),
    }
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, json!({ "error": message }).to_string())
        .with("x-error-code", code)
        .with("x-error-message", message)
}

fn not_found(ask: &Ask) -> Reply {
    // Without a token the Hub does not tell a private model from none.
    if ask.credential.class == Class::None {
        return refused(401, "RepoNotFound", "Invalid username or password.");
    }
    refused(404, "RepoNotFound", "Repository not found")
}

fn model(ask: &Ask, id: &str, faults: &Faults) -> Reply {
    if let Some(new) = world::renamed(id) {
        let query = ask_query(ask, &[]);
        let location = format!("/api/models/{new}{}{query}", if query.is_empty() { "" } else { "?" });
        return Reply::text(307, &format!("Temporary Redirect. Redirecting to {location}")).with("location", &location);
    }
    let Some(model) = world::model(id) else { return not_found(ask) };
    match model.access {
        Access::Private if !ask.credential.member => return not_found(ask),
        Access::Gated if ask.credential.class == Class::None => {
            let message = format!(
                "Access to model {id} is restricted. You must have access to it and be authenticated to access it. Please log in."
            );
            return refused(401, "GatedRepo", &message);
        }
        Access::Gated if !ask.credential.member => {
            let message = format!(
                "Access to model {id} is restricted and you are not in the authorized list. Visit https://huggingface.co/{id} to ask for access."
            );
            return refused(403, "GatedRepo", &message);
        }
        _ => {}
    }
    let expand = ask.asked("expand");
    if let Err(reply) = expandable(ask, &expand) {
        return reply;
    }
    let whole = facts(model);
    let mut answer = if expand.is_empty() { whole } else { expanded(model, &whole, &expand) };
    if expand.iter().any(|name| name == "inferenceProviderMapping") && model.mapping == Mapping::Listed {
        let entries = model.routes(&ask.knobs).map(|route| (route.backend.to_owned(), entry(model, route, faults)));
        answer.insert("inferenceProviderMapping".into(), Value::Object(entries.collect()));
    }
    Reply::json(200, Value::Object(answer).to_string())
}

fn expandable(ask: &Ask, expand: &[String]) -> Result<(), Reply> {
    if let Some(unknown) = expand.iter().find(|name| !EXPANDABLE.contains(&name.as_str())) {
        return Err(refused(400, "InvalidParameter", &format!("expand: '{unknown}' is not one of the known values")));
    }
    let mixed = ["full", "cardData", "config"].iter().any(|name| !ask.asked(name).is_empty());
    if !expand.is_empty() && mixed {
        return Err(refused(400, "InvalidParameter", "expand cannot be used together with full, cardData or config"));
    }
    Ok(())
}

/// A model without its mapping, as the Hub tells it when nothing in particular is asked.
fn facts(model: &Model) -> Map<String, Value> {
    let author = model.id.split_once('/').map_or("", |(author, _)| author);
    let mut tags = vec!["transformers", "safetensors", model.pipeline];
    if model.conversational {
        tags.push("conversational");
    }
    if model.pipeline == "sentence-similarity" {
        tags.push("feature-extraction");
    }
    if model.routes.iter().any(|route| route.weights.is_some()) {
        tags.push("lora");
    }
    tags.push("endpoints_compatible");
    let gated = if model.access == Access::Gated { json!("manual") } else { json!(false) };
    let facts = json!({
        "_id": model.hex, "id": model.id, "modelId": model.id, "author": author,
        "sha": "d0a1f6ab88522427a7ae76ceb6e1e1e7b68a1d08", "lastModified": "2025-01-01T00:00:00.000Z",
        "private": model.access == Access::Private, "gated": gated, "disabled": false, "likes": 1234, "trendingScore": 5,
        "downloads": 56789, "tags": tags, "pipeline_tag": model.pipeline, "library_name": "transformers",
        "createdAt": "2024-07-16T00:00:00.000Z", "inference": "warm",
    });
    if let Value::Object(facts) = facts { facts } else { Map::new() }
}

fn expanded(model: &Model, whole: &Map<String, Value>, expand: &[String]) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("_id".into(), json!(model.hex));
    answer.insert("id".into(), json!(model.id));
    for name in expand {
        if let Some(value) = whole.get(name) {
            answer.insert(name.clone(), value.clone());
        }
    }
    answer
}

fn provider_id(model: &Model, route: &Route, faults: &Faults) -> String {
    faults.remapped(route.backend, model.id).unwrap_or_else(|| route.provider_id.to_owned())
}

/// One entry of a mapping that is a dictionary.
fn entry(model: &Model, route: &Route, faults: &Faults) -> Value {
    let mut entry = json!({"status": route.status, "providerId": provider_id(model, route, faults), "task": route.task, "isModelAuthor": false});
    adapter(&mut entry, route);
    entry
}

fn adapter(entry: &mut Value, route: &Route) {
    if let Some(weights) = route.weights {
        entry["adapter"] = json!("lora");
        entry["adapterWeightsPath"] = json!(weights);
        entry["type"] = json!("tag-filter");
    }
}

/// The whole mapping as the array that lists have.
fn entries(model: &'static Model, knobs: &Knobs, faults: &Faults) -> Value {
    let one = |route: &Route| {
        let mut entry = json!({"provider": route.backend, "providerId": provider_id(model, route, faults),
            "hfModelId": model.id, "status": route.status, "task": route.task, "type": "single-model"});
        adapter(&mut entry, route);
        entry
    };
    Value::Array(model.routes(knobs).map(one).collect())
}

fn list(ask: &Ask, faults: &Faults) -> Reply {
    let expand = ask.asked("expand");
    if let Err(reply) = expandable(ask, &expand) {
        return reply;
    }
    let number = |name: &str| ask.asked(name).first().map(|text| text.parse::<usize>());
    let limit = match number("limit") {
        None => 30,
        Some(Ok(limit)) if limit > 0 => limit.min(1000),
        Some(_) => return refused(400, "InvalidParameter", "limit must be a positive number"),
    };
    let start = number("cursor").and_then(Result::ok).unwrap_or(0);
    let found: Vec<&'static Model> = world::listed(&ask.knobs).filter(|model| listed(ask, model)).collect();
    let items: Vec<Value> = found
        .iter()
        .skip(start)
        .take(limit)
        .map(|model| {
            let whole = facts(model);
            let mut item = if expand.is_empty() { whole } else { expanded(model, &whole, &expand) };
            if expand.iter().any(|name| name == "inferenceProviderMapping") {
                item.insert("inferenceProviderMapping".into(), entries(model, &ask.knobs, faults));
            }
            Value::Object(item)
        })
        .collect();
    let reply = Reply::json(200, Value::Array(items).to_string());
    if start + limit >= found.len() {
        return reply;
    }
    let host = ask.header("host").unwrap_or("huggingface.co");
    let query = ask_query(ask, &[("cursor", &(start + limit).to_string())]);
    reply.with("link", &format!("<http://{host}/api/models?{query}>; rel=\"next\""))
}

fn listed(ask: &Ask, model: &'static Model) -> bool {
    let serves = |backend: &str| {
        let mut routes = model.routes(&ask.knobs).filter(|route| route.status == "live");
        routes.any(|route| backend == "all" || route.backend == backend)
    };
    let any = |name: &str, fits: &dyn Fn(&str) -> bool| {
        let wanted = ask.asked(name);
        wanted.is_empty() || wanted.iter().any(|wanted| fits(wanted))
    };
    let seen = model.access != Access::Private || ask.credential.member;
    let tagged = |tag: &str| {
        facts(model).get("tags").and_then(Value::as_array).is_some_and(|all| all.iter().any(|have| have == tag))
    };
    seen && any("inference_provider", &serves)
        && any("pipeline_tag", &|pipeline| pipeline == model.pipeline)
        && ask.asked("filter").iter().all(|tag| tagged(tag))
        && any("search", &|text| model.id.to_lowercase().contains(&text.to_lowercase()))
        && any("author", &|author| model.id.split_once('/').is_some_and(|(have, _)| have == author))
}

/// The query of a request, encoded again, with some parameters in place of their namesakes.
fn ask_query(ask: &Ask, replace: &[(&str, &str)]) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let kept = ask.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let kept = kept.filter(|(name, _)| replace.iter().all(|(other, _)| other != name));
    let all: Vec<String> = kept
        .chain(replace.iter().copied())
        .map(|(name, value)| {
            format!(
                "{}={}",
                utf8_percent_encode(name, NON_ALPHANUMERIC).to_string().replace("%5F", "_"),
                utf8_percent_encode(value, NON_ALPHANUMERIC)
            )
        })
        .collect();
    all.join("&")
}

fn whoami(ask: &Ask) -> Reply {
    if ask.credential.class != Class::Hf {
        return refused(401, "Unauthorized", "Invalid username or password.");
    }
    let name = ask.credential.name.as_deref().unwrap_or("sandbox");
    let who = json!({"type": "user", "id": "650000000000000000000001", "name": name, "fullname": "Sandbox User",
        "isPro": false, "canPay": !ask.credential.penniless, "orgs": [{"type": "org", "name": "sandbox-org"}],
        "auth": {"type": "access_token", "accessToken": {"displayName": "sandbox", "role": "read",
            "createdAt": "2025-01-01T00:00:00.000Z"}}});
    Reply::json(200, who.to_string())
}

fn partners(ask: &Ask, id: &str, faults: &Faults) -> Reply {
    if backends::find(id).is_none() {
        return refused(404, "NotFound", "Partner not found");
    }
    let status = ask.asked("status");
    let mut tasks: Map<String, Value> = Map::new();
    for model in world::listed(&ask.knobs).filter(|model| model.access == Access::Public) {
        let here = model.routes(&ask.knobs).filter(|route| route.backend == id);
        for route in here.filter(|route| status.is_empty() || status.iter().any(|wanted| wanted == route.status)) {
            let mut entry =
                json!({"_id": model.hex, "providerId": provider_id(model, route, faults), "status": route.status});
            if route.weights.is_some() {
                entry["adapterType"] = json!("lora");
            }
            let task = tasks.entry(route.task).or_insert_with(|| json!({}));
            task[model.id] = entry;
        }
    }
    Reply::json(200, Value::Object(tasks).to_string())
}
