//! The table of every backend that Hugging Face knows: one line here, one file each.

use crate::Backend;

mod anthropic;
mod baseten;
mod cerebras;
mod clarifai;
mod cohere;
mod deepinfra;
mod fal_ai;
mod featherless_ai;
mod fireworks_ai;
mod groq;
mod hf_inference;
mod hyperbolic;
mod nebius;
mod novita;
mod nscale;
mod nvidia;
mod openai;
mod ovhcloud;
mod publicai;
mod replicate;
mod sambanova;
mod scaleway;
mod together;
mod wavespeed;
mod zai_org;

/// Every backend, in the order of the documentation.
pub const TABLE: &[Backend] = &[
    hf_inference::BACKEND,
    cerebras::BACKEND,
    cohere::BACKEND,
    fal_ai::BACKEND,
    featherless_ai::BACKEND,
    fireworks_ai::BACKEND,
    groq::BACKEND,
    hyperbolic::BACKEND,
    nebius::BACKEND,
    novita::BACKEND,
    nscale::BACKEND,
    ovhcloud::BACKEND,
    publicai::BACKEND,
    replicate::BACKEND,
    sambanova::BACKEND,
    scaleway::BACKEND,
    together::BACKEND,
    zai_org::BACKEND,
    baseten::BACKEND,
    deepinfra::BACKEND,
    wavespeed::BACKEND,
    openai::BACKEND,
    anthropic::BACKEND,
    clarifai::BACKEND,
    nvidia::BACKEND,
];

/// The backend that `name`, an id or an alias, means.
pub fn find(name: &str) -> Option<&'static Backend> {
    TABLE.iter().find(|backend| backend.is_called(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_two_backends() {
        let mut names: Vec<_> = TABLE.iter().flat_map(Backend::names).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn ids_are_what_a_path_and_a_model_name_can_carry() {
        for name in TABLE.iter().flat_map(Backend::names) {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
        }
    }

    #[test]
    fn an_alias_finds_the_backend_that_hugging_face_calls_otherwise() {
        for (alias, id) in [
            ("fireworks", "fireworks-ai"),
            ("ovhcloud-ai-endpoints", "ovhcloud"),
            ("public-ai", "publicai"),
            ("z-ai", "zai-org"),
            ("zai", "zai-org"),
            ("fal", "fal-ai"),
            ("featherless", "featherless-ai"),
            ("togetherai", "together"),
        ] {
            assert_eq!(find(alias).map(|b| b.id), Some(id));
        }
        assert!(find("nobody").is_none());
    }
}
