//! What the gateway says when it listens: a few plain lines for people, one event otherwise. Names of keys, never values.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use policy::Compiled;
use policy::credentials::{Presented, Target};
use types::BackendName;

/// A model that many backends serve: the first call has the best chance to work.
const FIRST_MODEL: &str = "openai/gpt-oss-120b";

/// What is said. It owns its words, because the configuration is on its way into the snapshot by then.
pub(crate) struct Welcome {
    url: String,
    sandbox: Option<String>,
    router: String,
    hub: String,
    /// The operator's name for the token that routed calls use.
    token: Option<String>,
    callers_may_bring_theirs: bool,
    /// Backends that are reached with a key of their own.
    own_keys: Vec<&'static str>,
    servers: Vec<String>,
    notes: Vec<String>,
}

impl Welcome {
    /// `url` is the listener's address as callers write it; `sandbox` what stands in for Hugging Face, if anything.
    pub(crate) fn new(config: &Compiled, url: &str, sandbox: Option<&str>) -> Self {
        let chosen = config.keys.choose(Target::Router, Presented::default()).ok();
        let own = |id: &str| config.keys.has_direct(&BackendName::new(id));
        Self {
            url: url.to_owned(),
            sandbox: sandbox.map(str::to_owned),
            router: config.router.to_string(),
            hub: config.hub.to_string(),
            token: chosen.and_then(|chosen| chosen.name).map(|name| name.to_string()),
            callers_may_bring_theirs: config.keys.allow_callers(),
            own_keys: providers::TABLE.iter().map(|b| b.id).filter(|id| own(id)).collect(),
            servers: config.servers.iter().map(|s| format!("{} at {}", s.name, s.url)).collect(),
            notes: config.notes.clone(),
        }
    }

    /// Says it, in lines for people or as one event.
    pub(crate) fn say(&self, for_people: bool) {
        if for_people {
            // A terminal that is gone is no reason not to serve.
            let _written = io::stderr().lock().write_all(self.text().as_bytes());
            return;
        }
        tracing::info!(
            url = self.url,
            sandbox = self.sandbox,
            router = self.router,
            hub = self.hub,
            token = self.token.as_deref().unwrap_or("none"),
            own_keys = self.own_keys.join(", "),
            servers = self.servers.join(", "),
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
        for note in &self.notes {
            tracing::warn!("{note}");
        }
    }

    fn text(&self) -> String {
        let mut text = format!("Ironbow {} listens on {}\n", env!("CARGO_PKG_VERSION"), self.url);
        match &self.sandbox {
            Some(sandbox) => line(&mut text, "sandbox", &format!("{sandbox} stands in for Hugging Face")),
            None => {
                line(&mut text, "router", &self.router);
                line(&mut text, "hub", &self.hub);
                line(&mut text, "token", self.token.as_deref().unwrap_or_else(|| self.no_token()));
            }
        }
        if !self.own_keys.is_empty() {
            line(&mut text, "own keys", &self.own_keys.join(", "));
        }
        if !self.servers.is_empty() {
            line(&mut text, "servers", &self.servers.join(", "));
        }
        for note in &self.notes {
            line(&mut text, "note", note);
        }
        text + "\nTry it:\n" + &self.first_call() + "\n"
    }

    fn no_token(&self) -> &'static str {
        if self.callers_may_bring_theirs {
            "none: send an hf_ token as API key, or set HF_TOKEN"
        } else {
            "none: set HF_TOKEN, or calls through the router will be refused"
        }
    }

    fn first_call(&self) -> String {
        let token = if self.token.is_some() { "" } else { "-H \"Authorization: Bearer $HF_TOKEN\" " };
        let trust = if self.url.starts_with("https:") { "-k " } else { "" };
        format!(
            "  curl {trust}{}/v1/chat/completions {token}-H 'Content-Type: application/json' \\\n    \
             -d '{{\"model\": \"{FIRST_MODEL}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello!\"}}]}}'\n",
            self.url
        )
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _written = writeln!(text, "  {name:<9} {value}");
}
