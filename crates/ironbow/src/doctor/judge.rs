//! What the doctor makes of what it saw. Pure: no network, and the time is passed in.

use std::time::{Duration, SystemTime};

use net::{NetError, NetErrorKind};
use policy::Compiled;
use serde_json::Value;

use super::ask::{Answer, Exchange, Token};

/// TLS certificates and signed links fail beyond this.
const CLOCK_MAY_DIFFER: Duration = Duration::from_secs(5 * 60);
const NEW_TOKEN: &str = "Make one at https://huggingface.co/settings/tokens with the permission \"Make calls to Inference Providers\" and set HF_TOKEN.";
/// The permission that a fine-grained token needs for calls through the router.
const INFERENCE: &str = "inference.serverless.write";

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Good,
    /// It works, and there is something to know.
    Note,
    Failed,
    /// It could not be checked.
    Skipped,
}

impl State {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One check: what was found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) state: State,
    pub(crate) says: String,
    /// Empty when there is nothing to do.
    pub(crate) advice: String,
}

impl Finding {
    fn new(check: &'static str, state: State, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, state, says: says.into(), advice: advice.into() }
    }

    fn good(check: &'static str, says: impl Into<String>) -> Self {
        Self::new(check, State::Good, says, "")
    }

    /// A check that failed.
    pub(crate) fn failed(check: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(check, State::Failed, says, advice)
    }
}

/// A configuration that compiles may still have something to say.
pub(crate) fn configuration(compiled: &Compiled) -> Finding {
    if compiled.notes.is_empty() {
        return Finding::good("configuration", "it is valid");
    }
    Finding::new("configuration", State::Note, compiled.notes.join("; "), "")
}

/// Without a configuration nothing else can be checked.
pub(crate) fn no_configuration(problems: &[String]) -> Vec<Finding> {
    let first = Finding::failed(
        "configuration",
        problems.join("\n"),
        "Correct what is named; `ironbow check FILE` checks a file again.",
    );
    let skipped = |check| Finding::new(check, State::Skipped, "the configuration comes first", "");
    std::iter::once(first).chain(["token", "router", "hub", "clock"].map(skipped)).collect()
}

/// What the Hub says about the token.
pub(crate) fn token(token: &Token) -> Finding {
    let check = "token";
    let exchange = match token {
        Token::Missing { callers_bring_theirs: true } => {
            let says = "the gateway has none; callers must send an hf_ token of their own as API key";
            return Finding::new(check, State::Note, says, NEW_TOKEN);
        }
        Token::Missing { callers_bring_theirs: false } => {
            return Finding::failed(check, "there is no Hugging Face token", NEW_TOKEN);
        }
        Token::Known(exchange) => exchange,
    };
    let answer = match &exchange.result {
        Ok(answer) => answer,
        Err(error) => return unreachable(check, exchange, error),
    };
    match (answer.status, serde_json::from_slice::<Value>(&answer.body)) {
        (200, Ok(who)) => about_token(check, &who),
        (401 | 403, _) => {
            Finding::failed(check, "the Hub does not accept it: it is wrong, expired or revoked", NEW_TOKEN)
        }
        _ => unexpected(check, exchange, answer),
    }
}

fn about_token(check: &'static str, who: &Value) -> Finding {
    let name = who["name"].as_str().unwrap_or("an account without a name");
    let access = &who["auth"]["accessToken"];
    if access["role"] == "fineGrained" && !may_infer(&access["fineGrained"]) {
        let says = format!("it belongs to {name}, but may not make calls to Inference Providers");
        let advice = "Edit it at https://huggingface.co/settings/tokens: tick \"Make calls to Inference Providers\".";
        return Finding::failed(check, says, advice);
    }
    let pays = if who["canPay"] == false { ", an account without a way to pay beyond its free credit" } else { "" };
    Finding::good(check, format!("it belongs to {name}{pays}"))
}

/// Whether a fine-grained token has the permission, for everything or for one of its scopes.
fn may_infer(grained: &Value) -> bool {
    let has = |list: &Value| list.as_array().is_some_and(|all| all.iter().any(|one| one == INFERENCE));
    let scoped = grained["scoped"].as_array().is_some_and(|scopes| scopes.iter().any(|s| has(&s["permissions"])));
    scoped || has(&grained["global"])
}

/// Whether the router answers with models.
pub(crate) fn router(exchange: &Exchange) -> Finding {
    let check = "router";
    let answer = match &exchange.result {
        Ok(answer) => answer,
        Err(error) => return unreachable(check, exchange, error),
    };
    let list = serde_json::from_slice::<Value>(&answer.body).ok();
    match (answer.status, list.as_ref().and_then(|l| l["data"].as_array())) {
        (200, Some(models)) if !models.is_empty() => {
            Finding::good(check, format!("{} lists {} models", exchange.address, models.len()))
        }
        (200, Some(_)) => Finding::failed(
            check,
            format!("{} lists no model at all", exchange.address),
            "Check that HF_ROUTER_URL (huggingface.router) is the router's address.",
        ),
        _ => unexpected(check, exchange, answer),
    }
}

/// Whether the Hub answers about a model.
pub(crate) fn hub(exchange: &Exchange) -> Finding {
    let check = "hub";
    let answer = match &exchange.result {
        Ok(answer) => answer,
        Err(error) => return unreachable(check, exchange, error),
    };
    let model = serde_json::from_slice::<Value>(&answer.body).ok();
    match (answer.status, model.as_ref().map(|m| (m["id"].is_string(), !m["inferenceProviderMapping"].is_null()))) {
        (200, Some((true, true))) => {
            Finding::good(check, format!("{} knows which backend serves a model", exchange.address))
        }
        (200, Some((true, false))) => Finding::failed(
            check,
            format!("{} answers, but does not say which backends serve a model", exchange.address),
            "A mirror of the Hub may lack this: set HF_ENDPOINT (huggingface.hub) to the Hub itself.",
        ),
        _ => unexpected(check, exchange, answer),
    }
}

/// Compares the clocks over there with ours.
pub(crate) fn clock(dates: &[SystemTime], now: SystemTime) -> Finding {
    let check = "clock";
    let away = |date: &SystemTime| now.duration_since(*date).unwrap_or_else(|ahead| ahead.duration());
    let Some(nearest) = dates.iter().min_by_key(|date| away(date)) else {
        return Finding::new(check, State::Skipped, "no answer told the time", "");
    };
    let (difference, seconds) = (away(nearest), away(nearest).as_secs());
    if difference <= CLOCK_MAY_DIFFER {
        return Finding::good(check, format!("it differs by {seconds} s from Hugging Face's"));
    }
    let side = if *nearest < now { "fast" } else { "slow" };
    Finding::failed(
        check,
        format!("it is {seconds} s {side}"),
        "Set this machine's clock (for example with chrony or systemd-timesyncd): certificates and signed links fail otherwise.",
    )
}

/// No answer at all: what kind of failure says what to look at.
fn unreachable(check: &'static str, exchange: &Exchange, error: &NetError) -> Finding {
    let setting =
        if check == "router" { "HF_ROUTER_URL (huggingface.router)" } else { "HF_ENDPOINT (huggingface.hub)" };
    let advice = match error.kind {
        NetErrorKind::BadRequest => format!("Check {setting} and the token."),
        NetErrorKind::Resolve => format!("Check that this machine has a network and a name server, and that {setting} is right."),
        NetErrorKind::AddressRefused => format!("The name leads to a private address. Write the address itself into {setting} if that is meant."),
        NetErrorKind::ConnectRefused => format!("Nothing listens there: check {setting} and the firewall."),
        NetErrorKind::ConnectTimeout => "Packets are lost on the way: check the firewall; this machine must reach port 443 outside.".to_owned(),
        NetErrorKind::Tls | NetErrorKind::CertificateDate | NetErrorKind::CertificateName | NetErrorKind::CertificateIssuer => "Check this machine's clock and certificates; a proxy that opens TLS must be trusted by the system.".to_owned(),
        NetErrorKind::Timeout => "It accepted the connection and said nothing: try again; if it stays so, look at https://status.huggingface.co.".to_owned(),
        _ => format!("What answers there breaks off or does not speak HTTP: check {setting}, and any proxy in between."),
    };
    Finding::failed(check, format!("{} cannot be asked: {error}", exchange.address), advice)
}

/// An answer that is not the one that was hoped for.
fn unexpected(check: &'static str, exchange: &Exchange, answer: &Answer) -> Finding {
    let address = &exchange.address;
    let says = format!("{address} answered {}", answer.status);
    match answer.status {
        200..=299 => Finding::failed(
            check,
            format!("{says}, but not with what Hugging Face would say"),
            "Something else answers in its place, such as a proxy or a login page: check the address and the network.",
        ),
        300..=399 => Finding::failed(check, format!("{says}, a redirect"), "Set the address to where it leads."),
        401 => Finding::failed(check, format!("{says}: the token is not accepted"), NEW_TOKEN),
        402 => {
            Finding::failed(check, says, "The account has no credit left: see https://huggingface.co/settings/billing.")
        }
        403 => Finding::failed(check, format!("{says}: not allowed with this token"), NEW_TOKEN),
        404 => Finding::failed(
            check,
            format!("{says}: it is not there"),
            "Check the address: the path after the host must be right too.",
        ),
        429 => Finding::failed(
            check,
            format!("{says}: too many requests"),
            "Wait a few minutes; a token raises the limit.",
        ),
        500..=599 => Finding::failed(
            check,
            says,
            "Hugging Face has a problem: see https://status.huggingface.co, and try again.",
        ),
        _ => Finding::failed(check, says, "Check the address."),
    }
}

#[cfg(test)]
mod tests;
