//! How a model would be routed now: `GET /v1/route?model=…`. Nothing is sent to a backend.

use std::time::Instant;

use net::Request;
use policy::order::{self, Need};
use serde_json::{Map, Value, json};
use types::{Asked, Fault, Kind, Operation, Result};

use super::models::query::decoded;
use crate::{
    Gateway,
    doors::{Answer, Ask},
    steps::{
        admit::{Asking, Ticket, admit},
        authenticate::authenticate,
        plan::{Lanes, Spot, with_need},
        resolve::{Candidates, Place, resolve},
    },
};

/// `GET /v1/route`.
///
/// # Errors
/// What is wrong with the query; what a call of this model would be told before anybody is chosen.
pub(crate) async fn explain(gateway: &Gateway, request: &Request) -> Result<Answer> {
    let snapshot = gateway.snapshot();
    let question = Question::read(request.uri.query().unwrap_or_default())?;
    let mut first_fault = None;
    for operation in question.operations() {
        let caller = authenticate(&request.headers)?;
        let ask = Ask::of(request)?.with_headers(&request.headers, &snapshot);
        let need = || question.need.clone();
        let asking = Asking { operation: *operation, stream: question.need.stream, instead: Vec::new(), need };
        let ticket = admit(gateway, snapshot.clone(), caller, ask, &question.model, &asking)?;
        match resolve(gateway, &ticket).await {
            Ok(found) => return Ok(Answer::whole("application/json", told(gateway, &ticket, found, &question)?)),
            Err(fault) => drop(first_fault.get_or_insert(fault)),
        }
    }
    Err(first_fault.unwrap_or_else(|| Fault::new(Kind::UnknownModel, "Nobody serves this model.").param("model")))
}

/// What is asked about.
#[derive(Debug)]
struct Question {
    model: String,
    operation: Option<Operation>,
    need: Need,
}

impl Question {
    /// Reads a query. Names that mean nothing here are passed over.
    ///
    /// # Errors
    /// `BadRequest` naming the parameter.
    fn read(query: &str) -> Result<Self> {
        let (mut model, mut operation, mut need) = (None, None, Need::default());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
            let value = decoded(&value.replace('+', " ")).ok_or_else(|| bad(name, "text"))?;
            match name {
                "model" => model = Some(value),
                "operation" => {
                    let same = |known: &&Operation| known.name().replace(' ', "_") == value.replace([' ', '-'], "_");
                    let known = Operation::ALL.iter().find(same).copied();
                    operation = Some(known.ok_or_else(|| bad(name, "an operation such as `chat` or `embeddings`"))?);
                }
                "stream" => need.stream = flag(name, &value)?,
                "tools" => need.tools = flag(name, &value)?,
                "parallel_tools" => need.parallel_tools = flag(name, &value)?,
                "json_schema" => need.structured_output = flag(name, &value)?,
                "vision" => need.vision = flag(name, &value)?,
                "input_tokens" => need.input_tokens = number(name, &value)?,
                "max_tokens" => need.max_output = Some(number(name, &value)?),
                _ => {}
            }
        }
        let model = model.filter(|model| !model.is_empty());
        let model = model.ok_or_else(|| {
            Fault::new(Kind::BadRequest, "`model` is missing: ask `/v1/route?model=org/name`.").param("model")
        })?;
        Ok(Self { model, operation, need })
    }

    /// The operation that is asked about, or else the first that the model can be asked for.
    fn operations(&self) -> &[Operation] {
        self.operation.as_ref().map_or(Operation::ALL, std::slice::from_ref)
    }
}

fn flag(name: &str, value: &str) -> Result<bool> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(bad(name, "`true` or `false`")),
    }
}

fn number(name: &str, value: &str) -> Result<u64> {
    value.parse().map_err(|_| bad(name, "a whole number"))
}

fn bad(name: &str, wanted: &str) -> Box<Fault> {
    let name: String = name.chars().take(64).collect();
    Fault::new(Kind::BadRequest, format!("`{name}` must be {wanted}.")).param(name)
}

/// The answer.
fn told(gateway: &Gateway, ticket: &Ticket, found: Candidates, question: &Question) -> Result<String> {
    let lanes = Lanes::of(gateway, ticket, found)?;
    let (health, now) = (&gateway.0.health, Instant::now());
    let (order, rows, fault) = with_need(ticket, &lanes, question.need.clone(), |ask| {
        let order = order::choose(&lanes.policy, ask, health, now);
        let fault = order.usable(&lanes.policy).err();
        (order, order::explain(&lanes.policy, ask, health, now), fault)
    });
    let mut candidates = Vec::with_capacity(rows.len());
    for ((row, known), spot) in rows.iter().zip(lanes.policy.iter()).zip(lanes.spots.iter()) {
        let mut shown = serde_json::to_value(row).unwrap_or_default();
        if let Some(shown) = shown.as_object_mut() {
            terms(shown, known, spot, gateway);
            let place = order.attempts.iter().position(|index| *index == row.index);
            shown.insert("attempt".into(), json!(place.map(|place| place + 1)));
            shown.insert("excluded_because".into(), json!(row.excluded.as_ref().map(ToString::to_string)));
        }
        candidates.push(shown);
    }
    let hub_id = lanes.spots.iter().find_map(|spot| spot.candidate.hub_id.clone());
    let model = hub_id.unwrap_or_else(|| ticket.asked.model().clone());
    let catalog = &gateway.0.catalog;
    let losses = catalog.losses().into_iter().filter(|loss| loss.hub_id == model);
    let clock = u64::try_from(crate::clock().0 / 1000).unwrap_or(0);
    let answer = json!({
        "object": "route",
        "model": &*ticket.name,
        "means": means(&ticket.asked),
        "operation": ticket.operation.name(),
        "strategy": ticket.strategy().name(),
        "may_fail_over": ticket.may_move() || matches!(ticket.asked, Asked::Auto { .. }),
        "explores": order.explores,
        "alone": order.alone,
        "attempts": order.attempts.iter().map(|index| lanes.policy[*index].lane.name()).collect::<Vec<_>>(),
        "fault": fault.map(|fault| fault.message),
        "candidates": candidates,
        "recent_failures": gateway.0.recent.of(&model, now),
        "data": {
            "mapping_age_s": catalog.age(&model, ticket.own_token()).map(|age| age.as_secs()),
            "prices_age_s": catalog.market().map(|market| clock.saturating_sub(market.taken_at())),
        },
        "warnings": losses.map(|loss| format!("{}: {}", loss.backend, loss.sentence())).collect::<Vec<_>>(),
    });
    Ok(answer.to_string())
}

fn means(asked: &Asked) -> Value {
    match asked {
        Asked::Auto { model, .. } => json!({ "backend": null, "model": &**model }),
        Asked::Pinned { backend, model } => json!({ "backend": backend.as_str(), "model": &**model }),
    }
}

/// Adds what the choice does not show: the terms, and the way there.
fn terms(shown: &mut Map<String, Value>, known: &order::Candidate, spot: &Spot, gateway: &Gateway) {
    let dollars = |micros: u64| micros as f64 / 1e6;
    let mut add = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    add("backend_model", json!(&*spot.candidate.model));
    add("way", json!(way(spot, known)));
    let price = known.price.map(|price| json!({"input": dollars(price.input), "output": dollars(price.output)}));
    add("price_per_million_tokens", json!(price));
    add("context_length", json!(known.context_length));
    add("tools", json!(known.abilities.tools));
    add("structured_output", json!(known.abilities.structured_output));
    add("vision", json!(known.abilities.vision));
    add("own_server", json!(known.own_server));
    add("hub_state", json!(known.state));
    add("weight", json!(known.weight));
    add("priority", json!(known.priority));
    if known.own_server {
        let seen = gateway.0.servers.seen(&known.lane.place);
        let age = seen.checked.map(|at| at.elapsed().as_secs());
        add("checked", json!({"answers": !seen.is_down(), "age_s": age, "trouble": seen.trouble}));
    }
}

fn way(spot: &Spot, known: &order::Candidate) -> &'static str {
    match (&spot.candidate.place, spot.chosen.way) {
        (Place::Router, _) => "router",
        _ if known.own_server => "own server",
        (_, policy::credentials::Way::Routed) => "routed",
        (_, policy::credentials::Way::Direct) => "direct",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_and_what_cannot_be_read_is_named() {
        let asked = Question::read("model=org%2Fname&operation=image_stream&tools=true&max_tokens=7&other=1").unwrap();
        assert_eq!((asked.model.as_str(), asked.operation), ("org/name", Some(Operation::ImageStream)));
        assert_eq!((asked.need.tools, asked.need.max_output), (true, Some(7)));
        assert_eq!(Question::read("model=a/b").unwrap().operations(), Operation::ALL);
        for (query, param) in [
            ("", "model"),
            ("model=", "model"),
            ("model=a&operation=cook", "operation"),
            ("model=a&tools=maybe", "tools"),
            ("model=a&input_tokens=-1", "input_tokens"),
        ] {
            assert_eq!(Question::read(query).unwrap_err().param.as_deref(), Some(param), "{query}");
        }
    }
}
