//! Faults as the AWS SDKs expect them: the exception's name in a header and in the body, and a message.

use serde_json::{Map, Value};
use types::Fault;

use crate::openai;

/// The status, the media type and the body. [`error_type`] belongs into the header `x-amzn-errortype`.
pub fn fault(fault: &Fault, request_id: &str) -> (u16, &'static str, Vec<u8>) {
    let mut said = Map::new();
    said.insert("__type".into(), error_type(fault).into());
    said.insert("message".into(), fault.message.as_str().into());
    said.insert("reason".into(), fault.code.as_deref().unwrap_or(fault.kind.name()).into());
    said.insert("requestId".into(), request_id.into());
    for (name, value) in
        [("param", &fault.param), ("backend", &fault.backend), ("upstreamRequestId", &fault.upstream_request_id)]
    {
        if let Some(value) = value {
            said.insert(name.into(), value.as_str().into());
        }
    }
    (openai::fault::status(fault), "application/json", Value::Object(said).to_string().into_bytes())
}

/// The exception's name, as Bedrock's model has it.
pub fn error_type(fault: &Fault) -> &'static str {
    match openai::fault::status(fault) {
        401..=403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 | 504 => "ModelTimeoutException",
        429 => "ThrottlingException",
        424 => "ModelErrorException",
        400..=499 => "ValidationException",
        503 | 529 => "ServiceUnavailableException",
        _ => "InternalServerException",
    }
}

/// The name of the exception in a stream that has begun.
pub(super) fn in_stream(fault: &Fault) -> &'static str {
    match error_type(fault) {
        "ThrottlingException" => "throttlingException",
        "ServiceUnavailableException" => "serviceUnavailableException",
        "ValidationException" => "validationException",
        _ if fault.kind.origin() == types::Origin::Upstream => "modelStreamErrorException",
        _ => "internalServerException",
    }
}
