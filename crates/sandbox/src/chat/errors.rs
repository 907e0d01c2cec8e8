//! How each backend refuses: one shape per family, written out by hand.

use crate::fill::{fill, quoted};
use crate::reply::Reply;

/// The shape of an error body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `{error: {message, type, param, code}}`
    OpenAi,
    /// The same under an id.
    Together,
    /// `{message, type, param, code}`
    Cerebras,
    /// `{error, error_type}`; a body that does not parse is answered in plain text.
    Tgi,
    /// `{message}`
    Message,
    /// `{error: {object, type, message}}`
    Fireworks,
    /// `{code, reason, message, metadata}`
    CodeReason,
    /// `{error: text}`
    ErrorText,
    /// `{object: error, message, type, param, code}`
    OldVllm,
    /// `{error: {code, message}}`, the code a number in a text.
    Zai,
    /// `{detail: {error}}`
    DetailError,
    /// `{detail: text}`
    DetailText,
    /// 400 as the older vLLM, 422 `{detail: [{loc, msg, type, input}]}`
    Hyperbolic,
    /// `{detail: [{loc, msg, type}]}`; 404 in plain text
    Fal,
    /// `application/problem+json`
    Problem,
    /// The newer vLLM: `{error: {message, type, param, code}}` with the status as code.
    Vllm,
    /// llama.cpp: `{error: {code, message, type}}`
    LlamaCpp,
    /// Anthropic: `{type: error, error: {type, message}, request_id}`
    Anthropic,
    /// The router: a text, and the same in a header.
    Router,
}

/// What was wrong, before it gets a shape.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
}

/// What kind of wrong it was: it decides words and codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The body is no JSON, or a member is missing or of the wrong type.
    Malformed,
    /// A member or value that this backend does not take.
    Unsupported,
    NoModel,
    NoPath,
    Key,
    Payment,
    Forbidden,
    TooLarge,
    RateLimit,
    Loading,
    Server,
}

impl Refusal {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let status = match kind {
            Kind::Malformed | Kind::Unsupported => 400,
            Kind::NoModel | Kind::NoPath => 404,
            Kind::Key => 401,
            Kind::Payment => 402,
            Kind::Forbidden => 403,
            Kind::TooLarge => 413,
            Kind::RateLimit => 429,
            Kind::Loading => 503,
            Kind::Server => 500,
        };
        Self { status, kind, message: message.into(), param: None }
    }

    pub(crate) fn about(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    /// The refusal that a status stands for, for faults.
    pub(crate) fn of_status(status: u16) -> Self {
        let (kind, message) = match status {
            401 => (Kind::Key, "Invalid API key provided"),
            402 => (Kind::Payment, "You have exceeded your monthly included credits"),
            403 => (Kind::Forbidden, "You do not have access to this model"),
            404 => (Kind::NoModel, "The model does not exist"),
            413 => (Kind::TooLarge, "Request body too large"),
            429 => (Kind::RateLimit, "Rate limit reached, please slow down"),
            503 => (Kind::Loading, "Service temporarily overloaded"),
            400..=499 => (Kind::Unsupported, "The request was refused"),
            _ => (Kind::Server, "Internal server error"),
        };
        Self { status, kind, message: message.into(), param: None }
    }

    fn kind_words(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::Malformed | Kind::Unsupported => ("invalid_request_error", "invalid_value"),
            Kind::NoModel => ("invalid_request_error", "model_not_found"),
            Kind::NoPath => ("invalid_request_error", "unknown_url"),
            Kind::Key => ("invalid_request_error", "invalid_api_key"),
            Kind::Payment => ("insufficient_quota", "insufficient_quota"),
            Kind::Forbidden => ("permission_error", "forbidden"),
            Kind::TooLarge => ("invalid_request_error", "request_too_large"),
            Kind::RateLimit => ("rate_limit_error", "rate_limit_exceeded"),
            Kind::Loading => ("service_unavailable", "overloaded"),
            Kind::Server => ("server_error", "internal_error"),
        }
    }

    /// The refusal in a backend's own words.
    pub(crate) fn reply(&self, shape: Shape) -> Reply {
        match (shape, self.kind) {
            (Shape::Fal, Kind::NoPath) => return Reply::text(404, "404: Not Found"),
            (Shape::Tgi, Kind::Malformed) => {
                let message = format!("Failed to deserialize the JSON body into the target type: {}", self.message);
                return Reply::text(422, &message);
            }
            (Shape::Tgi, Kind::Key) | (Shape::Router, _) => return self.router(),
            _ => {}
        }
        let status = match (shape, self.kind) {
            (Shape::Hyperbolic | Shape::Fal | Shape::Problem | Shape::Tgi, Kind::Malformed | Kind::Unsupported) => 422,
            _ => self.status,
        };
        let reply = Reply::json(status, self.body(shape, status));
        if shape == Shape::Problem { reply.with("content-type", "application/problem+json") } else { reply }
    }

    /// The Hub and the router say it twice.
    fn router(&self) -> Reply {
        let message = if self.kind == Kind::Key { "Invalid username or password." } else { &self.message };
        Reply::json(self.status, format!(r#"{{"error":{}}}"#, quoted(message))).with("x-error-message", message)
    }

    fn body(&self, shape: Shape, status: u16) -> String {
        let (kind, code) = self.kind_words();
        let message = quoted(&self.message);
        let param = self.param.as_deref().map_or_else(|| "null".to_owned(), quoted);
        let place = quoted(self.param.as_deref().unwrap_or("body"));
        let number = status.to_string();
        let cerebras_code = if self.kind == Kind::Unsupported { "wrong_api_format" } else { code };
        let zai_code = if self.kind == Kind::NoModel { "1211" } else { "1210" };
        let slots = [
            ("MSG", message.as_str()),
            ("TYPE", kind),
            ("CODE", if shape == Shape::Cerebras { cerebras_code } else { code }),
            ("PARAM", param.as_str()),
            ("PLACE", place.as_str()),
            ("ANTHROPIC", anthropic(status)),
            ("STATUS", number.as_str()),
            ("ZAI", zai_code),
            ("TGI", if self.kind == Kind::Loading { "overloaded" } else { "validation" }),
        ];
        fill(template(shape, self.kind, status), &slots)
    }
}

/// Anthropic's type for a status.
fn anthropic(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

fn template(shape: Shape, kind: Kind, status: u16) -> &'static str {
    match shape {
        Shape::Anthropic => {
            r#"{"type":"error","error":{"type":"$ANTHROPIC","message":$MSG},"request_id":"req_011CSandbox0000000000000000"}"#
        }
        Shape::OpenAi => r#"{"error":{"message":$MSG,"type":"$TYPE","param":$PARAM,"code":"$CODE"}}"#,
        Shape::Together => {
            r#"{"id":"nrMtLK3-4YNCb4-90a7c1d4af4c9e43","error":{"message":$MSG,"type":"$TYPE","param":$PARAM,"code":"$CODE"}}"#
        }
        Shape::Cerebras => r#"{"message":$MSG,"type":"$TYPE","param":$PARAM,"code":"$CODE"}"#,
        Shape::Tgi if kind == Kind::NoModel || kind == Kind::NoPath => r#"{"error":$MSG}"#,
        Shape::Tgi if status == 500 => r#"{"error":"unknown error","warnings":[$MSG]}"#,
        Shape::Tgi => r#"{"error":$MSG,"error_type":"$TGI"}"#,
        Shape::Message => r#"{"id":"c7d5a2e3-0000-4000-8000-000000000000","message":$MSG}"#,
        Shape::Fireworks => r#"{"error":{"object":"error","type":"$TYPE","code":"$CODE","message":$MSG}}"#,
        Shape::CodeReason => r#"{"code":$STATUS,"reason":"$CODE","message":$MSG,"metadata":{}}"#,
        Shape::ErrorText | Shape::Router => r#"{"error":$MSG}"#,
        Shape::Hyperbolic if status == 422 => {
            r#"{"detail":[{"type":"missing","loc":["body",$PLACE],"msg":$MSG,"input":null}]}"#
        }
        Shape::OldVllm | Shape::Hyperbolic => {
            r#"{"object":"error","message":$MSG,"type":"$TYPE","param":$PARAM,"code":$STATUS}"#
        }
        Shape::Zai => r#"{"error":{"code":"$ZAI","message":$MSG}}"#,
        Shape::DetailError => r#"{"detail":{"error":$MSG}}"#,
        Shape::DetailText => r#"{"detail":$MSG}"#,
        Shape::Fal => r#"{"detail":[{"loc":["body",$PLACE],"msg":$MSG,"type":"value_error"}]}"#,
        Shape::Problem => {
            r#"{"title":"Input validation failed","detail":$MSG,"status":$STATUS,"invalid_fields":[{"type":"invalid","field":$PLACE,"description":$MSG}]}"#
        }
        Shape::Vllm => r#"{"error":{"message":$MSG,"type":"$TYPE","param":$PARAM,"code":$STATUS}}"#,
        Shape::LlamaCpp => r#"{"error":{"code":$STATUS,"message":$MSG,"type":"$TYPE"}}"#,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Refusal, Shape};
    use crate::reply::Content;

    const ALL: &[Shape] = &[
        Shape::OpenAi,
        Shape::Together,
        Shape::Cerebras,
        Shape::Tgi,
        Shape::Message,
        Shape::Fireworks,
        Shape::CodeReason,
        Shape::ErrorText,
        Shape::OldVllm,
        Shape::Zai,
        Shape::DetailError,
        Shape::DetailText,
        Shape::Hyperbolic,
        Shape::Fal,
        Shape::Problem,
        Shape::Vllm,
        Shape::LlamaCpp,
        Shape::Anthropic,
        Shape::Router,
    ];

    #[test]
    fn every_refusal_is_json_without_empty_slots_unless_it_is_text() {
        for shape in ALL {
            for status in [400, 401, 402, 403, 404, 413, 429, 500, 503] {
                let reply = Refusal::of_status(status).about("model").reply(*shape);
                let Content::Whole(body) = &reply.content else { panic!("whole") };
                let text = String::from_utf8(body.to_vec()).unwrap();
                assert!(!text.contains('$'), "{text}");
                if reply.header("content-type").is_some_and(|media| media.contains("json")) {
                    serde_json::from_str::<serde_json::Value>(&text).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_body_that_does_not_parse_is_plain_text_at_tgi() {
        let reply = Refusal::new(Kind::Malformed, "missing field `messages` at line 1 column 144").reply(Shape::Tgi);
        assert_eq!(reply.status, 422);
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    }
}
