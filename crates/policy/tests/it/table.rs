//! A table of backends to decide with, and short ways to compile a text.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
};

use policy::{BackendIds, Compiled, File, Flag, Names, Problem, Routing, Sources, VendorIds};

const fn backend(id: &'static str, aliases: &'static [&'static str], routing: Routing) -> BackendIds<'static> {
    BackendIds { id, aliases, routing, direct_base: Some("https://api.example.com"), vendor: None }
}

const OPENAI: VendorIds =
    VendorIds { is_key: |key| key.starts_with("sk-") && !key.starts_with("sk-ant-"), variable: "OPENAI_API_KEY" };

const ANTHROPIC: VendorIds = VendorIds { is_key: |key| key.starts_with("sk-ant-"), variable: "ANTHROPIC_API_KEY" };

pub(crate) const TABLE: &[BackendIds<'static>] = &[
    BackendIds { direct_base: None, ..backend("hf-inference", &[], Routing::Live) },
    backend("cerebras", &[], Routing::Live),
    backend("cohere", &[], Routing::Live),
    backend("fal-ai", &["fal"], Routing::Live),
    backend("featherless-ai", &["featherless"], Routing::Live),
    backend("fireworks-ai", &["fireworks"], Routing::Live),
    backend("groq", &[], Routing::Live),
    backend("hyperbolic", &[], Routing::Retired),
    backend("nebius", &[], Routing::Retired),
    backend("novita", &[], Routing::Live),
    backend("nscale", &[], Routing::Live),
    backend("ovhcloud", &["ovhcloud-ai-endpoints"], Routing::Live),
    backend("publicai", &["public-ai"], Routing::Live),
    backend("replicate", &[], Routing::Live),
    backend("sambanova", &[], Routing::Retired),
    backend("scaleway", &[], Routing::Live),
    backend("together", &["togetherai"], Routing::Live),
    backend("zai-org", &["z-ai", "zai"], Routing::Live),
    backend("baseten", &[], Routing::Live),
    backend("deepinfra", &[], Routing::Live),
    backend("wavespeed", &[], Routing::Live),
    BackendIds { vendor: Some(OPENAI), ..backend("openai", &[], Routing::Never) },
    BackendIds { vendor: Some(ANTHROPIC), ..backend("anthropic", &[], Routing::Never) },
];

/// Where a configuration comes from in a test.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) files: HashMap<PathBuf, String>,
    pub(crate) flags: Vec<(&'static str, &'static str, String)>,
}

impl World {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    pub(crate) fn flag(mut self, name: &'static str, setting: &'static str, text: &str) -> Self {
        self.flags.push((name, setting, text.to_owned()));
        self
    }

    pub(crate) fn compile(&self, text: &str) -> Result<Compiled, Vec<Problem>> {
        self.compile_sources(Some(File { name: "/etc/ironbow/gateway.toml", text }))
    }

    pub(crate) fn compile_sources(&self, file: Option<File<'_>>) -> Result<Compiled, Vec<Problem>> {
        let read_file = |path: &Path| -> io::Result<String> {
            self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        let flags: Vec<Flag<'_>> =
            self.flags.iter().map(|(name, setting, text)| Flag { name, setting, text }).collect();
        policy::compile(&Sources { file, env: &self.env, read_file: &read_file, flags: &flags }, TABLE)
    }
}

/// What is wrong with this text, one line each.
pub(crate) fn problems(text: &str) -> Vec<String> {
    World::default().compile(text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// The names of the bare table.
pub(crate) fn names() -> Names {
    Names::new(TABLE)
}

/// The configuration of this text, which must be good.
pub(crate) fn good(text: &str) -> Compiled {
    World::default().compile(text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}
