//! Models of the other tasks: embeddings, speech, transcription, pictures, edits, and adapters for picture models.

use super::{Model, Route, live, other, task};

const fn embeds(backend: &'static str, id: &'static str) -> Route {
    task(live(backend, id), "feature-extraction")
}

const fn speaks(backend: &'static str, id: &'static str) -> Route {
    task(live(backend, id), "text-to-speech")
}

const fn hears(backend: &'static str, id: &'static str) -> Route {
    task(live(backend, id), "automatic-speech-recognition")
}

const fn draws(backend: &'static str, id: &'static str) -> Route {
    task(live(backend, id), "text-to-image")
}

const fn edits(backend: &'static str, id: &'static str) -> Route {
    task(live(backend, id), "image-to-image")
}

const fn adapter(mut route: Route, weights: &'static str) -> Route {
    route.weights = Some(weights);
    route
}

pub(super) const MODELS: &[Model] = &[
    other(
        "sentence-transformers/all-MiniLM-L6-v2",
        "621ffdc136468d709f180294",
        "sentence-similarity",
        &[task(live("hf-inference", "sentence-transformers/all-MiniLM-L6-v2"), "sentence-similarity")],
    ),
    // Plain transformers: one vector per token, depth 3 and 4.
    other(
        "facebook/bart-base",
        "621ffdc136468d709f17adb2",
        "feature-extraction",
        &[embeds("hf-inference", "facebook/bart-base")],
    ),
    // Text Embeddings Inference: always a list of vectors.
    other(
        "BAAI/bge-small-en-v1.5",
        "65040d4a4fe5a4d2a4ba3c8e",
        "feature-extraction",
        &[embeds("hf-inference", "BAAI/bge-small-en-v1.5"), embeds("deepinfra", "BAAI/bge-small-en-v1.5-DI")],
    ),
    other(
        "sandbox/embeds",
        "6a00000000000000000000f1",
        "feature-extraction",
        &[
            embeds("hf-inference", "sandbox/embeds"),
            embeds("scaleway", "embeds-1b:fp8"),
            embeds("together", "sandbox/Embeds-Turbo"),
            embeds("deepinfra", "sandbox/Embeds-DI"),
        ],
    ),
    other(
        "hexgrad/Kokoro-82M",
        "676ec5fa3b8c2b6d8a9a1f10",
        "text-to-speech",
        &[
            speaks("fal-ai", "fal-ai/kokoro/american-english"),
            speaks("replicate", "jaaari/kokoro-82m:dfdf537ba482b029e0a761699e6f55e9162cfd159270bfe0e44857caa5f275a6"),
            speaks("together", "hexgrad/Kokoro-82M"),
            speaks("deepinfra", "hexgrad/Kokoro-82M-DI"),
        ],
    ),
    other(
        "espnet/kan-bayashi_ljspeech_vits",
        "621ffdc136468d709f17f0aa",
        "text-to-speech",
        &[speaks("hf-inference", "espnet/kan-bayashi_ljspeech_vits")],
    ),
    other(
        "sandbox/speaks",
        "6a00000000000000000000f2",
        "text-to-speech",
        &[
            speaks("hf-inference", "sandbox/speaks"),
            speaks("fal-ai", "fal-ai/speaks/v1"),
            speaks("replicate", "sandbox/speaks-model"),
            speaks("together", "sandbox/Speaks-Turbo"),
            speaks("deepinfra", "sandbox/Speaks-DI"),
        ],
    ),
    other(
        "openai/whisper-large-v3",
        "654a84cadff2f49007ce6c37",
        "automatic-speech-recognition",
        &[
            hears("fal-ai", "fal-ai/whisper"),
            hears("hf-inference", "openai/whisper-large-v3"),
            hears("replicate", "openai/whisper:8099696689d249cf8b122d833c36ac3f75505c666a395ca40ef26f68e7d3d16e"),
            hears("together", "openai/whisper-large-v3"),
            hears("deepinfra", "openai/whisper-large-v3-DI"),
        ],
    ),
    // The answers of these have other members: `output` and `segments`, a list, a file of text.
    other(
        "openai/whisper-large-v3-turbo",
        "66f6cf2a1a4e1a1e8a7a4c11",
        "automatic-speech-recognition",
        &[hears("fal-ai", "fal-ai/wizper"), hears("replicate", "vaibhavs10/incredibly-fast-whisper")],
    ),
    other(
        "facebook/wav2vec2-large-960h-lv60-self",
        "621ffdc136468d709f17ddcd",
        "automatic-speech-recognition",
        &[hears("hf-inference", "facebook/wav2vec2-large-960h-lv60-self"), hears("replicate", "sandbox/text-file-asr")],
    ),
    other(
        "black-forest-labs/FLUX.1-dev",
        "66aaa908fc35e079a941470d",
        "text-to-image",
        &[
            draws("fal-ai", "fal-ai/flux/dev"),
            draws("replicate", "black-forest-labs/flux-dev"),
            draws("together", "black-forest-labs/FLUX.1-dev"),
            draws("wavespeed", "wavespeed-ai/flux-dev"),
        ],
    ),
    other(
        "ByteDance/SDXL-Lightning",
        "65d5b3b7a3e0a0a4e7b4f6aa",
        "text-to-image",
        &[
            draws("fal-ai", "fal-ai/fast-lightning-sdxl"),
            draws(
                "replicate",
                "bytedance/sdxl-lightning-4step:5599ed30703defd1d160a25a63321b4dec97101d98b4674bcc56e41f62f35637",
            ),
        ],
    ),
    other(
        "stabilityai/stable-diffusion-xl-base-1.0",
        "64bfcd5ff462a99a04fd1ec8",
        "text-to-image",
        &[
            draws("hf-inference", "stabilityai/stable-diffusion-xl-base-1.0"),
            draws("nscale", "stabilityai/stable-diffusion-xl-base-1.0"),
            draws("together", "stabilityai/stable-diffusion-xl-base-1.0"),
        ],
    ),
    other("zai-org/GLM-Image", "6969b5a1c7e1a1b1a1b1a1b1", "text-to-image", &[draws("zai-org", "glm-image")]),
    // One picture model that every live picture backend serves.
    other(
        "sandbox/draws",
        "6a00000000000000000000f3",
        "text-to-image",
        &[
            draws("hf-inference", "sandbox/draws"),
            draws("fal-ai", "fal-ai/draws/v1.1"),
            draws("replicate", "sandbox/draws-model"),
            draws("together", "sandbox/Draws-Turbo"),
            draws("nscale", "sandbox/Draws"),
            draws("wavespeed", "sandbox-ai/draws"),
            draws("zai-org", "draws-z"),
        ],
    ),
    other(
        "openfree/flux-chatgpt-ghibli-lora",
        "67e5f3a2c8b1d4e6f7a89b01",
        "text-to-image",
        &[
            adapter(draws("fal-ai", "fal-ai/flux-lora"), "flux-chatgpt-ghibli-lora.safetensors"),
            adapter(draws("replicate", "lucataco/flux-dev-lora"), "flux-chatgpt-ghibli-lora.safetensors"),
            adapter(draws("wavespeed", "wavespeed-ai/flux-dev-lora"), "flux-chatgpt-ghibli-lora.safetensors"),
        ],
    ),
    // This one's provider id wants the base model named as well.
    other(
        "nerijs/pixel-art-xl",
        "64c9a1f2b3c4d5e6f7a8b9c0",
        "text-to-image",
        &[adapter(draws("fal-ai", "fal-ai/lora"), "pixel-art-xl.safetensors")],
    ),
    other(
        "black-forest-labs/FLUX.1-Kontext-dev",
        "68388f2c5a1e4b3d9c7a0f11",
        "image-to-image",
        &[
            edits("fal-ai", "fal-ai/flux-kontext/dev"),
            edits("replicate", "black-forest-labs/flux-kontext-dev"),
            edits("together", "black-forest-labs/FLUX.1-kontext-dev"),
            edits("wavespeed", "wavespeed-ai/flux-kontext-dev"),
        ],
    ),
    other(
        "Qwen/Qwen-Image-Edit",
        "68a2d1f3c5b7e9a1d3f5b7c9",
        "image-to-image",
        &[
            edits("fal-ai", "fal-ai/qwen-image-edit"),
            edits("replicate", "qwen/qwen-image-edit"),
            edits("together", "Qwen/Qwen-Image-Edit-Turbo"),
            edits("wavespeed", "wavespeed-ai/qwen-image/edit"),
        ],
    ),
    other(
        "black-forest-labs/FLUX.2-dev",
        "6920b8d1e3f5a7c9b1d3f5e7",
        "image-to-image",
        &[edits("fal-ai", "fal-ai/flux-2/edit"), edits("together", "black-forest-labs/FLUX.2-dev")],
    ),
    other(
        "lllyasviel/sd-controlnet-canny",
        "63e9f1a2b3c4d5e6f7a8b9d1",
        "image-to-image",
        &[edits("hf-inference", "lllyasviel/sd-controlnet-canny")],
    ),
    other(
        "sandbox/edits",
        "6a00000000000000000000f4",
        "image-to-image",
        &[
            edits("hf-inference", "sandbox/edits"),
            edits("fal-ai", "fal-ai/edits/v1"),
            edits("replicate", "sandbox/edits-model"),
            edits("together", "sandbox/Edits-Turbo"),
            edits("wavespeed", "sandbox-ai/edits"),
        ],
    ),
];

/// Where removed backends come back to, by the model that shows them again.
pub(super) const REVIVED: &[(&str, Route)] = &[
    ("sandbox/embeds", embeds("nebius", "sandbox/embeds-nb")),
    ("sandbox/embeds", embeds("sambanova", "Embeds-SN")),
    ("sandbox/draws", draws("nebius", "sandbox/draws-nb")),
    ("sandbox/draws", draws("hyperbolic", "DRAWS1")),
];

/// What backends serve under names that the mapping does not have.
pub(super) const OWN: &[Route] = &[
    embeds("sambanova", "E5-Mistral-7B-Instruct"),
    embeds("nebius", "BAAI/bge-en-icl"),
    draws("nebius", "stability-ai/sdxl"),
    draws("nebius", "black-forest-labs/flux-dev"),
    draws("hyperbolic", "SD2"),
    draws("hyperbolic", "FLUX.1-dev"),
    draws("fal-ai", "fal-ai/flux/schnell"),
    edits("fal-ai", "fal-ai/flux/dev/image-to-image"),
    edits("fal-ai", "fal-ai/flux-pro/kontext"),
    edits("fal-ai", "fal-ai/flux-2-pro/edit"),
];
