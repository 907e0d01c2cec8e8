//! What a caller reads when a backend cannot do what was asked, or not on this route.

use types::{Fault, Kind, Operation};

use crate::{Backend, TABLE};

/// The backend cannot do this operation. Names those that can.
pub fn unsupported(backend: &Backend, operation: Operation) -> Box<Fault> {
    unsupported_by(backend.id, operation)
}

/// Something with this name, a declared server perhaps, cannot do this operation. Names the backends that can.
pub fn unsupported_by(name: &str, operation: Operation) -> Box<Fault> {
    let what = operation.name();
    let others = able(operation);
    Fault::new(
        Kind::UnsupportedOperation,
        format!("The backend `{name}` does not support {}. Backends that do: {others}.", spelt_out(operation, what)),
    )
    .param("model")
    .code("unsupported_operation")
    .backend(name)
}

/// The operation in a sentence.
const fn spelt_out(operation: Operation, name: &'static str) -> &'static str {
    match operation {
        Operation::Chat => "chat completions",
        Operation::Image => "image generation",
        Operation::ImageStream => "streams of images",
        Operation::ImageEdit => "image edits",
        Operation::ImageEditStream => "streams of image edits",
        Operation::Embeddings | Operation::Speech | Operation::Transcription => name,
    }
}

/// The router no longer takes calls for it, and there is no key of its own.
pub fn no_longer_routed(backend: &Backend) -> Box<Fault> {
    let id = backend.id;
    Fault::new(
        Kind::UnsupportedOperation,
        format!(
            "Hugging Face no longer routes calls to `{id}` (since July 2026). Configure a key of `{id}` itself to use it \
             directly, or name another backend, or `auto`."
        ),
    )
    .param("model")
    .code("backend_not_routed")
    .backend(id)
}

/// The router never took calls for it, and there is no key of its own.
pub fn never_routed(backend: &Backend) -> Box<Fault> {
    let id = backend.id;
    Fault::new(
        Kind::NoCredential,
        format!("Hugging Face does not route calls to `{id}`: a Hugging Face token cannot be used for it. Configure a key of `{id}` itself."),
    )
    .param("model")
    .backend(id)
}

/// The ids of the backends that can do this through the router today, in the table's order.
fn able(operation: Operation) -> String {
    let ids: Vec<_> =
        TABLE.iter().filter(|b| b.can(operation) && b.routing == crate::Routing::Live).map(|b| b.id).collect();
    ids.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    #[test]
    fn a_backend_without_chat_is_refused_with_the_names_of_those_that_have_it() {
        let fault = unsupported(find("replicate").unwrap(), Operation::Chat);
        assert_eq!((fault.kind, fault.code.as_deref()), (Kind::UnsupportedOperation, Some("unsupported_operation")));
        assert!(fault.message.contains("`replicate`") && fault.message.contains("chat completions"));
        for (id, named) in
            [("groq", true), ("deepinfra", true), ("fal-ai", false), ("nebius", false), ("openai", false)]
        {
            assert_eq!(fault.message.contains(&format!(" {id}")), named, "{id}: {}", fault.message);
        }
    }

    #[test]
    fn every_operation_has_somebody_who_can_do_it() {
        for operation in Operation::ALL {
            let fault = unsupported_by("nobody", *operation);
            assert!(!fault.message.contains("do: ."), "{}", fault.message);
        }
        let edit = unsupported(find("groq").unwrap(), Operation::ImageEdit);
        for id in ["hf-inference", "fal-ai", "replicate", "together", "wavespeed"] {
            assert!(edit.message.contains(id), "{}", edit.message);
        }
    }

    #[test]
    fn a_backend_that_is_not_routed_says_how_it_can_be_used() {
        let gone = no_longer_routed(find("nebius").unwrap());
        assert!(gone.message.contains("`nebius`") && gone.message.contains("key"), "{}", gone.message);
        let never = never_routed(find("openai").unwrap());
        assert_eq!(never.kind, Kind::NoCredential);
        assert!(never.message.contains("token"), "{}", never.message);
    }
}
