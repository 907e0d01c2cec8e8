//! `ironbow route`: asks a running gateway how a model would be routed now, and shows the answer to people or as JSON.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method};
use net::{ByteBudget, Origin, Outgoing, Permit, Upstream, UpstreamSettings};
use serde_json::Value;
use types::SendBody;

use crate::cli;

/// How long the gateway may take; it may have to ask the Hub.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer.
const MAX_ANSWER: usize = 4 << 20;

/// Asks and prints; the exit code is 0 when somebody could serve a call now, 1 otherwise.
pub(crate) fn run(arguments: &cli::Route) -> ExitCode {
    let mut out = io::stdout().lock();
    let answer = match ask(arguments) {
        Ok(answer) => answer,
        Err(why) => {
            let _written = writeln!(io::stderr().lock(), "ironbow route: {why}");
            return ExitCode::FAILURE;
        }
    };
    let text =
        if arguments.json { serde_json::to_string_pretty(&answer).unwrap_or_default() + "\n" } else { shown(&answer) };
    let _written = out.write_all(text.as_bytes());
    if answer["fault"].is_null() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The gateway's answer.
fn ask(arguments: &cli::Route) -> Result<Value, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let (origin, base) =
        Origin::parse(&arguments.url, Permit::Declared).map_err(|error| format!("`--url`: {error}"))?;
    let (status, body) = runtime.block_on(get(&origin, format!("{base}{}", target(arguments)))).map_err(|why| {
        format!(
            "no gateway answers at {}: {why}. Start one with `ironbow serve`, or say with --url where it is.",
            arguments.url
        )
    })?;
    let answer: Value =
        serde_json::from_slice(&body).map_err(|_| format!("{} is no Ironbow gateway", arguments.url))?;
    match status {
        200 => Ok(answer),
        _ => Err(answer["error"]["message"].as_str().unwrap_or("the gateway refused the question").to_owned()),
    }
}

async fn get(origin: &Origin, target: String) -> Result<(u16, Vec<u8>), String> {
    let until = Instant::now() + PATIENCE;
    let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let outgoing = Outgoing { method: Method::GET, target, headers: headers.into(), body: SendBody::empty() };
    let reply = Upstream::new(UpstreamSettings::default()).send(origin, outgoing, until).await;
    let reply = reply.map_err(|error| error.to_string())?;
    let held = reply.body.collect(MAX_ANSWER, until, &ByteBudget::new(MAX_ANSWER)).await;
    Ok((reply.status.as_u16(), held.map_err(|error| error.to_string())?.bytes.to_vec()))
}

/// Path and query of the question.
fn target(arguments: &cli::Route) -> String {
    let mut target = format!("/v1/route?model={}", encoded(&arguments.model));
    if let Some(operation) = &arguments.operation {
        target += &format!("&operation={}", encoded(operation));
    }
    for need in &arguments.needs {
        let (name, value) = need.split_once('=').unwrap_or((need, "true"));
        target += &format!("&{}={}", encoded(name), encoded(value));
    }
    target
}

/// A text as it may stand in a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The answer for people: who would be asked, in order, and who would not, and why.
fn shown(answer: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let known = |value: &Value| if value.is_null() { "-".to_owned() } else { text(value) };
    let mut lines = vec![format!(
        "{} ({}, strategy {})",
        text(&answer["model"]),
        text(&answer["operation"]),
        text(&answer["strategy"])
    )];
    let mut rows: Vec<&Value> = answer["candidates"].as_array().into_iter().flatten().collect();
    rows.sort_by_key(|row| row["attempt"].as_u64().unwrap_or(u64::MAX));
    for row in rows {
        let place = row["attempt"].as_u64().map_or_else(|| " -".to_owned(), |at| format!("{at:>2}"));
        let key = row["key"].as_str().map_or_else(String::new, |key| format!(" (key {key})"));
        let price = &row["price_per_million_tokens"];
        let price = if price.is_null() { "-".to_owned() } else { format!("${}/${}", price["input"], price["output"]) };
        lines.push(format!(
            "{place}  {:<44} {:<10} {:<14} first {:>6} ms  score {:>6} ms  failing {:>3} ‰",
            format!("{}{key}", text(&row["place"])),
            text(&row["state"]),
            price,
            known(&row["first_event_ms"]),
            known(&row["score_ms"]),
            known(&row["failures_per_thousand"]),
        ));
        if let Some(reason) = row["excluded_because"].as_str() {
            lines.push(format!("      left out: {reason}"));
        }
    }
    for failure in answer["recent_failures"].as_array().into_iter().flatten().take(5) {
        lines.push(format!(
            "failed {} s ago at {}: {} after {} ms",
            failure["ago_ms"].as_u64().unwrap_or(0) / 1000,
            text(&failure["backend"]),
            text(&failure["reason"]),
            failure["took_ms"]
        ));
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        lines.push(format!("warning: {}", text(warning)));
    }
    let data = &answer["data"];
    lines.push(format!(
        "mapping {} s old, prices {} s old",
        known(&data["mapping_age_s"]),
        known(&data["prices_age_s"])
    ));
    if let Some(fault) = answer["fault"].as_str() {
        lines.push(format!("A call now would fail: {fault}"));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_written_so_that_it_arrives() {
        let arguments = cli::Route {
            model: "a/b:c d".to_owned(),
            operation: Some("chat".to_owned()),
            needs: vec!["tools".to_owned(), "max_tokens=5".to_owned()],
            url: String::new(),
            json: false,
        };
        assert_eq!(target(&arguments), "/v1/route?model=a/b%3Ac%20d&operation=chat&tools=true&max_tokens=5");
    }

    #[test]
    fn whoever_would_be_asked_comes_first_and_reasons_are_told() {
        let row = |place: &str, attempt: Value, reason: Value| {
            json!({"place": place, "attempt": attempt, "state": "healthy", "key": null, "first_event_ms": null, "score_ms": 5,
                "failures_per_thousand": 0, "price_per_million_tokens": {"input": 0.1, "output": 0.2}, "excluded_because": reason})
        };
        let answer = json!({"model": "o/m", "operation": "chat", "strategy": "auto", "data": {"mapping_age_s": 3, "prices_age_s": null},
            "candidates": [row("far", json!(null), json!("it cannot stream")), row("near", json!(1), json!(null))]});
        let text = shown(&answer);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with(" 1  near") && lines[2].starts_with(" -  far"), "{text}");
        assert!(lines[3].contains("it cannot stream") && lines[4].contains("prices - s old"), "{text}");
        assert!(lines[1].contains("$0.1/$0.2"), "{text}");
    }
}
