//! Gathers what the configuration is made of (file, environment, flags) and has it compiled; prints what is wrong with it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use policy::{Compiled, File, Flag, Problem, Sources};

/// A configuration file is a page or two; one that is larger than this is another file by mistake.
const MAX_FILE: u64 = 4 << 20;

/// The token with which the built-in sandbox is asked; it opens nothing else.
const SANDBOX_TOKEN: &str = "hf_sandbox";
/// Where a token may come from besides the configuration.
const TOKEN_NAMES: &[&str] = &["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"];

/// What the command line said about the configuration.
#[derive(Debug, Default)]
pub(crate) struct Given<'a> {
    /// The configuration file.
    pub(crate) file: Option<&'a Path>,
    /// `--listen`.
    pub(crate) listen: Option<&'a str>,
    /// `--data`.
    pub(crate) data: Option<&'a str>,
    /// `--allow-remote`.
    pub(crate) allow_remote: bool,
    /// The address of the built-in sandbox, if it stands in for Hugging Face.
    pub(crate) sandbox: Option<&'a str>,
}

/// Why there is no configuration.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The file cannot be read.
    File(PathBuf, io::Error),
    /// Everything that is wrong, in order.
    Problems(Vec<Problem>),
}

/// Reads and compiles the configuration.
pub(crate) fn load(given: &Given<'_>) -> Result<Compiled, Refused> {
    let text = match given.file {
        Some(path) => Some(read_limited(path).map_err(|error| Refused::File(path.to_owned(), error))?),
        None => None,
    };
    let name = given.file.map(|path| path.display().to_string()).unwrap_or_default();
    let (allowed, vendors): (String, Vec<(String, String)>);
    let (mut env, mut flags) = (environment(), Vec::new());
    if let Some(address) = given.listen {
        flags.push(Flag { name: "--listen", setting: "listener.address", text: address });
    }
    if given.allow_remote {
        flags.push(Flag { name: "--allow-remote", setting: "listener.allow_remote", text: "true" });
    }
    if let Some(url) = given.sandbox {
        TOKEN_NAMES.iter().for_each(|name| drop(env.remove(*name)));
        env.insert(TOKEN_NAMES[0].to_owned(), SANDBOX_TOKEN.to_owned());
        // Hugging Face is the sandbox, real keys stay unused, and what it says about models is not kept for the real one.
        let sandbox = |setting, text| Flag { name: "--sandbox", setting, text };
        allowed = format!("[\"{url}\"]");
        vendors = sandboxed_vendors(url, &mut env);
        flags.extend(vendors.iter().map(|(setting, text)| sandbox(setting, text)));
        flags.extend([
            sandbox("assets.allow", &allowed),
            sandbox("huggingface.hub", url),
            sandbox("huggingface.router", url),
            sandbox("huggingface.keys", "[]"),
            sandbox("huggingface.implicit_token", "true"),
            sandbox("data.folder", "none"),
        ]);
    }
    if let Some(folder) = given.data {
        flags.retain(|flag| flag.setting != "data.folder");
        flags.push(Flag { name: "--data", setting: "data.folder", text: folder });
    }
    let sources = Sources {
        file: text.as_deref().map(|text| File { name: &name, text }),
        env: &env,
        read_file: &read_limited,
        flags: &flags,
    };
    policy::compile(&sources, &pipeline::backend_ids()).map_err(Refused::Problems)
}

/// The settings with which the sandbox stands in for every vendor too, with a key that opens nothing else.
fn sandboxed_vendors(url: &str, env: &mut BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    for (id, vendor) in pipeline::backend_ids().into_iter().filter_map(|backend| Some((backend.id, backend.vendor?))) {
        env.insert(vendor.variable.to_owned(), format!("key-{id}"));
        let values =
            [("base_url", format!("{url}/direct/{id}")), ("keys", "[]".into()), ("environment_key", "true".into())];
        settings.extend(values.map(|(name, text)| (format!("providers.{id}.{name}"), text)));
    }
    settings
}

/// Every variable whose name and value are text; others cannot be meant for us.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect()
}

fn read_limited(path: &Path) -> io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    if length > MAX_FILE {
        return Err(io::Error::other(format!("it is larger than {MAX_FILE} bytes")));
    }
    std::fs::read_to_string(path)
}

impl Refused {
    /// Prints everything that is wrong, one line each, to standard error.
    pub(crate) fn print(&self) {
        let mut out = io::stderr().lock();
        // Standard error that is gone changes nothing about the exit code.
        let _written = match self {
            Self::File(path, error) => writeln!(out, "{}: cannot be read: {error}", path.display()),
            Self::Problems(problems) => problems
                .iter()
                .try_for_each(|problem| writeln!(out, "{problem}"))
                .and_then(|()| writeln!(out, "{}", counted(problems.len()))),
        };
    }

    /// The problems as lines, for `ironbow doctor`.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Self::File(path, error) => vec![format!("{}: cannot be read: {error}", path.display())],
            Self::Problems(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }
}

fn counted(problems: usize) -> String {
    match problems {
        1 => "1 problem in the configuration".to_owned(),
        n => format!("{n} problems in the configuration"),
    }
}
