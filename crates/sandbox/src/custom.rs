//! Self-hosted servers under `/custom/{name}/`: TGI, vLLM, llama.cpp, TEI, and a dedicated Inference Endpoint.

use crate::ask::Ask;
use crate::backends::Schema;
use crate::chat::errors::{Kind, Refusal, Shape};
use crate::chat::style::{self, Style};
use crate::chat::{self, Rules};
use crate::reply::Reply;
use crate::tasks;
use crate::tokens::Class;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) refusal: Shape,
    pub(crate) style: &'static Style,
    pub(crate) schema: Schema,
    /// The models it serves; empty: any name will do.
    pub(crate) models: &'static [&'static str],
    pub(crate) chat: bool,
    pub(crate) key: Key,
    pub(crate) max_completion_tokens: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// None is needed; one that is sent must be `key-{name}`.
    Optional,
    /// A good `hf_` token.
    Hf,
}

const TGI: Server = Server {
    name: "tgi",
    refusal: Shape::Tgi,
    style: &style::TGI,
    schema: Schema::TgiValue,
    models: &[],
    chat: true,
    key: Key::Optional,
    max_completion_tokens: false,
};

pub(crate) const SERVERS: &[Server] = &[
    TGI,
    Server {
        name: "vllm",
        refusal: Shape::Vllm,
        style: &style::VLLM,
        schema: Schema::OpenAi,
        models: &["sandbox/vllm-model", "meta-llama/Llama-3.1-8B-Instruct"],
        max_completion_tokens: true,
        ..TGI
    },
    Server {
        name: "llamacpp",
        refusal: Shape::LlamaCpp,
        style: &style::LLAMACPP,
        schema: Schema::OpenAi,
        max_completion_tokens: true,
        ..TGI
    },
    Server { name: "tei", chat: false, ..TGI },
    Server { name: "endpoint", key: Key::Hf, ..TGI },
];

pub(crate) fn find(name: &str) -> Option<&'static Server> {
    SERVERS.iter().find(|server| server.name == name)
}

impl Server {
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            schema: self.schema,
            refusal: self.refusal,
            style: self.style,
            strict: None,
            refused: &[],
            developer_role: false,
            max_completion_tokens: self.max_completion_tokens,
            prefills: self.refusal == Shape::Tgi,
            tgi: self.refusal == Shape::Tgi,
        }
    }
}

pub(crate) fn answer(ask: &Ask, server: &Server, route: &str) -> Reply {
    let refused = |refusal: Refusal| refusal.reply(server.refusal);
    match (ask.method.as_str(), route) {
        ("GET", "health") => return Reply::whole(200, "text/plain", ""),
        ("GET", "info") => return Reply::json(200, format!(r#"{{"model_id":"sandbox/{}"}}"#, server.name)),
        ("GET", "props") if server.refusal == Shape::LlamaCpp => {
            return Reply::json(
                200,
                r#"{"model_path":"/models/sandbox-llama.gguf","default_generation_settings":{"n_ctx":8192}}"#,
            );
        }
        ("GET", "v1/models") => return models(server),
        ("POST", "v1/chat/completions") if server.chat => {}
        ("POST", other) if tasks::custom_operation(other, ask).is_some() => {}
        _ if server.refusal == Shape::Tgi => return Reply::whole(404, "text/plain", ""),
        _ => return Reply::json(404, r#"{"detail":"Not Found"}"#),
    }
    let good = match (server.key, ask.credential.class) {
        (Key::Optional, Class::None) => true,
        (Key::Optional, _) => ask.credential.opens(server.name, "Bearer"),
        (Key::Hf, class) => class == Class::Hf,
    };
    if !good {
        return refused(Refusal::new(Kind::Key, "Unauthorized"));
    }
    if route != "v1/chat/completions" {
        let nowhere = || Reply::json(404, r#"{"detail":"Not Found"}"#);
        return tasks::answer_custom(ask, server, route).unwrap_or_else(nowhere);
    }
    chat::serve(ask, &server.rules(), |model| {
        let known = server.models.is_empty() || model.is_some_and(|model| server.models.contains(&model));
        let model = model.unwrap_or("tgi");
        if known { Ok(model.to_owned()) } else { Err(no_model(model)) }
    })
}

fn no_model(model: &str) -> Refusal {
    Refusal::new(Kind::NoModel, format!("The model `{model}` does not exist.")).about("model")
}

fn models(server: &Server) -> Reply {
    let names = if server.models.is_empty() { &["tgi"][..] } else { server.models };
    let items: Vec<String> = names
        .iter()
        .map(|name| format!(r#"{{"id":"{name}","object":"model","created":1735689600,"owned_by":"sandbox"}}"#))
        .collect();
    Reply::json(200, format!(r#"{{"object":"list","data":[{}]}}"#, items.join(",")))
}
