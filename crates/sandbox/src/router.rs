//! The router's own surface under `/v1`: chat by Hub id and suffix, and the list of models with who serves them.

use crate::ask::{Ask, text};
use crate::backends::{self, Schema, State};
use crate::chat::errors::{Kind, Refusal, Shape};
use crate::chat::{self, Rules};
use crate::fill::quoted;
use crate::reply::Reply;
use crate::tokens::Class;
use crate::world::{self, Access, Model, Route};

pub(crate) fn answer(ask: &Ask, route: &str) -> Reply {
    // The list is public, but another service's key here would be a leak, and a bad token is told so.
    if !matches!(ask.credential.class, Class::None | Class::Hf) {
        return Refusal::new(Kind::Key, "").reply(Shape::Router);
    }
    match (ask.method.as_str(), route) {
        ("POST", "chat/completions") => converse(ask),
        ("GET", "models") => list(ask),
        ("GET", one) if one.starts_with("models/") => match world::model(&one["models/".len()..]) {
            Some(model) if routed(model, ask).next().is_some() => Reply::json(200, item(ask, model)),
            _ => no_model(&one["models/".len()..]).reply(Shape::OpenAi),
        },
        (_, "chat/completions" | "models") => Reply::json(405, r#"{"error":"Method Not Allowed"}"#),
        _ => Reply::json(404, r#"{"error":"Not Found"}"#),
    }
}

fn no_model(name: &str) -> Refusal {
    let mut refusal =
        Refusal::new(Kind::NoModel, format!("The requested model '{name}' does not exist")).about("model");
    refusal.status = 400;
    refusal
}

/// The chat routes of a model that the router uses.
fn routed<'a>(model: &'static Model, ask: &'a Ask) -> impl Iterator<Item = &'static Route> + 'a {
    model.routes(&ask.knobs).filter(|route| {
        let revived = ask.knobs.revived.iter().any(|id| id == route.backend);
        let live = backends::find(route.backend).is_some_and(|backend| backend.state == State::Live || revived);
        live && route.task == "conversational"
    })
}

/// The router's body rules: OpenAI's, whatever the backend behind it wants.
fn rules(route: &Route) -> Option<Rules> {
    let backend = backends::find(route.backend)?;
    Some(Rules {
        schema: Schema::OpenAi,
        refusal: Shape::OpenAi,
        strict: None,
        refused: &[],
        tgi: false,
        ..backend.rules()
    })
}

fn converse(ask: &Ask) -> Reply {
    if let Err(reply) = chat::router_key(ask) {
        return reply;
    }
    let body: serde_json::Value = match serde_json::from_slice(&ask.body) {
        Ok(body) => body,
        Err(error) => return Refusal::new(Kind::Malformed, error.to_string()).reply(Shape::OpenAi),
    };
    let Some(name) = text(&body, "model") else {
        return Refusal::new(Kind::Malformed, "model is required").about("model").reply(Shape::OpenAi);
    };
    let chosen = match choose(ask, name) {
        Ok(chosen) => chosen,
        Err(refusal) => return refusal.reply(Shape::OpenAi),
    };
    let Some(rules) = rules(chosen) else { return no_model(name).reply(Shape::OpenAi) };
    chat::serve(ask, &rules, |_| Ok(chosen.provider_id.to_owned())).with("x-inference-provider", chosen.backend)
}

/// Reads `org/name` with an optional `:suffix`, and takes the route that it asks for.
fn choose(ask: &Ask, name: &str) -> Result<&'static Route, Refusal> {
    let (id, suffix) = name.split_once(':').unwrap_or((name, "fastest"));
    let id = world::renamed(id).unwrap_or(id);
    let model = world::model(id).filter(|model| model.access == Access::Public || ask.credential.member);
    let model = model.ok_or_else(|| no_model(id))?;
    let all: Vec<&'static Route> = routed(model, ask).collect();
    let up: Vec<&'static Route> = all.iter().copied().filter(|route| route.status == "live").collect();
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok());
    let found = match suffix {
        "preferred" => up.first().copied(),
        // Unknown figures come last.
        "fastest" => up.iter().copied().max_by(|a, b| {
            let speed = |route: &Route| number(route.facts.throughput).unwrap_or(0.0);
            speed(a).total_cmp(&speed(b))
        }),
        "cheapest" => up.iter().copied().min_by(|a, b| {
            let price = |route: &Route| number(route.facts.price.map(|(_, output)| output)).unwrap_or(f64::MAX);
            price(a).total_cmp(&price(b))
        }),
        backend => all.iter().copied().find(|route| route.backend == backend),
    };
    found.ok_or_else(|| {
        let message = format!("The requested model '{name}' is not supported by any provider you have enabled.");
        let mut refusal = Refusal::new(Kind::Unsupported, message).about("model");
        refusal.status = 400;
        refusal
    })
}

fn list(ask: &Ask) -> Reply {
    let shown = world::models().filter(|model| model.access == Access::Public && routed(model, ask).next().is_some());
    let items: Vec<String> = shown.map(|model| item(ask, model)).collect();
    Reply::json(200, format!(r#"{{"object":"list","data":[{}]}}"#, items.join(",")))
}

fn item(ask: &Ask, model: &'static Model) -> String {
    let owner = model.id.split_once('/').map_or("", |(owner, _)| owner);
    let input = if model.pipeline == "image-text-to-text" { r#""text","image""# } else { r#""text""# };
    let providers: Vec<String> = routed(model, ask).map(provider).collect();
    format!(
        r#"{{"id":{},"object":"model","created":1735689600,"owned_by":{},"architecture":{{"input_modalities":[{input}],"output_modalities":["text"]}},"providers":[{}]}}"#,
        quoted(model.id),
        quoted(owner),
        providers.join(",")
    )
}

fn provider(route: &Route) -> String {
    let status = if route.status == "error" { "error" } else { "live" };
    let mut text = format!(r#"{{"provider":"{}","status":"{status}""#, route.backend);
    let facts = route.facts;
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(r#","{name}":{value}"#));
        }
    };
    add("context_length", facts.context.map(|context| context.to_string()));
    add("pricing", facts.price.map(|(input, output)| format!(r#"{{"input":{input},"output":{output}}}"#)));
    add("supports_tools", facts.tools.map(|yes| yes.to_string()));
    add("supports_structured_output", facts.structured.map(|yes| yes.to_string()));
    add("first_token_latency_ms", facts.latency_ms.map(str::to_owned));
    add("throughput", facts.throughput.map(str::to_owned));
    add("is_model_author", Some("false".to_owned()));
    text.push('}');
    text
}
