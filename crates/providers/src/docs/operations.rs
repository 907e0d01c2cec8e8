//! Of the documentation: where each operation is, and how the members of a call are called there.

use std::fmt::Write as _;

use types::Operation;
use wire::openai::embeddings;

use super::code_list;
use crate::{
    Backend, Codec, Flow,
    exchange::image::{Hand, Names, Size, names},
};

/// Where each operation of each backend is.
pub(super) fn paths(table: &[Backend]) -> String {
    let mut page = String::from("## Paths\n\n| backend | operation | path after the address |\n|---|---|---|\n");
    for backend in table {
        for op in backend.ops {
            let versioned = op.versioned.map_or(String::new(), |path| format!("; `{path}` for `name:version`"));
            let queue = op.queue.map_or(String::new(), |queue| {
                format!("; through the queue: `?{}` when routed, <{}> directly", queue.query, queue.direct)
            });
            let _ = writeln!(page, "| {} | {} | `{}`{versioned}{queue} |", backend.id, op.operation.name(), op.path);
        }
    }
    page.push('\n');
    page
}

/// How calls are written for each backend, where they are not OpenAI's.
pub(super) fn rules() -> String {
    let mut page = String::from(VECTORS);
    for backend in crate::TABLE {
        if let Some(Codec::Embeddings(dialect)) = backend.op(Operation::Embeddings).map(|op| op.codec) {
            vectors(backend.id, &dialect, &mut page);
        }
    }
    for kind in crate::dialects::DECLARED {
        if let Some((_, Codec::Embeddings(dialect))) = crate::dialects::declared(*kind, Operation::Embeddings) {
            vectors(kind.name(), &dialect, &mut page);
        }
    }
    page.push_str(PICTURES);
    page.push_str("| backend | prompt | size | n | steps | guidance | format | base64 asked for by |\n|---|---|---|---|---|---|---|---|\n");
    let makes = |backend: &&Backend| backend.can(Operation::Image);
    for backend in crate::TABLE.iter().filter(makes) {
        let flow = match backend.op(Operation::Image).map(|op| op.codec) {
            Some(Codec::Exchange(flow)) => flow,
            _ => continue,
        };
        if let Some(names) = names(flow) {
            row(backend.id, names, &mut page);
        }
    }
    for kind in crate::dialects::DECLARED {
        if let Some((_, Codec::Exchange(flow))) = crate::dialects::declared(*kind, Operation::Image)
            && let Some(names) = names(flow)
        {
            row(&format!("a server of your own: {}", kind.name()), names, &mut page);
        }
    }
    page.push_str(REST);
    sounds(&mut page);
    page
}

fn vectors(name: &str, dialect: &embeddings::Dialect, page: &mut String) {
    let input = if dialect.shape == embeddings::Shape::Inputs { "inputs" } else { "input" };
    let most = dialect.max_inputs.map_or("–".to_owned(), |most| most.to_string());
    let tokens = if dialect.tokens { "yes" } else { "refused" };
    let refused = if dialect.refuse.is_empty() { "–".to_owned() } else { code_list(dialect.refuse) };
    let _ = writeln!(page, "| {name} | `{input}` | {most} | {tokens} | {refused} |");
}

fn row(id: &str, names: &Names, page: &mut String) {
    let within = match names.within {
        Some(name) if names.prompt_at_root => format!(", the rest in `{name}`"),
        Some(name) => format!(", all in `{name}`"),
        None => String::new(),
    };
    let code = |name: Option<&str>| name.map_or("refused".to_owned(), |name| format!("`{name}`"));
    let size = match names.size {
        Size::Text => "`size: \"WxH\"`".to_owned(),
        Size::Sides => "`width`, `height`".to_owned(),
        Size::SidesAlways((width, height)) => format!("`width`, `height`, else {width}x{height}"),
        Size::TextAndSides => "`size`, `width`, `height`".to_owned(),
        Size::Object(name) => format!("`{name}: {{width, height}}`"),
    };
    let delivery = match names.delivery {
        Hand::Unspoken => "nothing: converted here".to_owned(),
        Hand::Word(word, true) => format!("`response_format: \"{word}\"`"),
        Hand::Word(word, false) => format!("`response_format: \"{word}\"`, always"),
        Hand::SyncMode => "`sync_mode: true`".to_owned(),
    };
    let n = names.n.map_or("only 1".to_owned(), |name| format!("`{name}`"));
    let format = names.format.map_or("refused".to_owned(), |(name, jpeg)| format!("`{name}` (JPEG: `{jpeg}`)"));
    let _ = writeln!(
        page,
        "| {id} | `{}`{within} | {size} | {n} | {} | {} | {format} | {delivery} |",
        names.prompt,
        code(names.steps),
        code(names.guidance),
    );
}

fn sounds(page: &mut String) {
    page.push_str(
        "| backend | sound that goes as it is (under another label) | made first of the rest |\n|---|---|---|\n",
    );
    let flows = [
        ("hf-inference", Flow::HfInference),
        ("fal-ai", Flow::Fal),
        ("replicate", Flow::Replicate),
        ("others", Flow::Openai),
    ];
    for (name, flow) in flows {
        let mut taken = Vec::new();
        let mut made = Vec::new();
        for kind in crate::exchange::takes::kinds() {
            match flow.takes(kind) {
                crate::exchange::Takes::AsIs(label) if label == kind => taken.push(format!("`{kind}`")),
                crate::exchange::Takes::AsIs(label) => taken.push(format!("`{kind}` (`{label}`)")),
                crate::exchange::Takes::Convert(format) => made.push(format.name()),
                crate::exchange::Takes::Refuse => {}
            }
        }
        made.dedup();
        let _ = writeln!(page, "| {name} | {} | {} |", taken.join(", "), code_list(&made));
    }
}

const VECTORS: &str = "\
## Embeddings

Nobody is asked for base64: floats are, and the gateway writes what the caller wanted. Larger batches are split and joined.

| backend | texts go as | most in one call | arrays of tokens | refused by name |
|---|---|---|---|---|
";

const PICTURES: &str = "
## Pictures

`seed`, `negative_prompt` and members that OpenAI does not know go as they came; a `size` of `auto` is not sent. Members that say
who asks (`user`, `metadata`, `store`, …) are taken out and named, and so are `quality`, `style`, `background`,
`output_compression` and `input_fidelity`, except at fal-ai, replicate and servers of your own, some of which have them. `moderation: low` switches
off the safety checker of fal-ai, reaches servers of your own, and is taken out elsewhere. A model that the Hub maps as an adapter (LoRA) goes with its weights at
fal-ai, replicate, wavespeed and nebius.

";

const REST: &str = "
Pictures to edit go as data URIs, or as the address that the caller gave:

- **fal-ai**: several as `image_urls`, one as `image_url`; of a model that is not known one goes under both names.
  `use_image_urls` decides otherwise. `n` from 1 to 10. A mask goes as `mask_url` to models for inpainting or filling, else it is refused.
- **replicate**: under all four names that its models have (`image`, `images`, `input_image`, `input_images`); a mask as at fal-ai, as `mask`.
- **together**: FLUX.1 Kontext one as `image_url`, all others `reference_images`.
- **wavespeed**: `image` and `images`.
- **hf-inference** and Inference Endpoints: one, as bare bytes when nothing else is said, else in base64 with the rest as parameters (`target_size`).
- **servers of your own** (openai, vllm): OpenAI's form, one as `image`, several as `image[]`, a `mask`; an address is refused.

## Sound

- **Speech**: voices that only OpenAI has (`alloy`, `nova`, …) are taken out and named, except at servers of your own; Kokoro models at
  together then speak as `af_alloy`, other models at together want a voice of their own to be named. hf-inference takes no voice, and
  refuses a `speed`. `instructions` reach servers of your own only, and are refused elsewhere.
- **Transcription**: hf-inference gets bare bytes, or base64 in JSON when times or a temperature are asked for; `language` and `prompt`
  are taken out and named there, translations refused. fal-ai gets a data URI, `task: translate` and `chunk_level: word`; replicate the
  names of `openai/whisper`; the others OpenAI's form, with `verbose_json` when times are asked for.

";
