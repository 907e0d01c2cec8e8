//! Fetches secrets by their references and sorts keys by where they may go.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::PathBuf,
    sync::Arc,
};

use types::{
    BackendName, Secret,
    config::{CallerKeys, HuggingFace, Provider, SecretRef},
};

use super::{checks::Checker, path::Path, problem::Place};
use crate::{
    credentials::{Key, Keys, is_hugging_face, is_organisation},
    ids::BackendIds,
    name::Names,
    nearest, shown,
};

/// Variables of Hugging Face's clients that hold the token itself, the first one first.
const TOKENS: [&str; 2] = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"];

/// What the keys' check must know of the rest.
pub(crate) struct Around<'a> {
    pub(crate) names: &'a Names,
    pub(crate) backends: &'a [BackendIds<'a>],
    /// Backends that the configuration gives an address of their own.
    pub(crate) based: &'a [BackendName],
}

/// All keys for Hugging Face and its backends.
pub(crate) fn ready(check: &mut Checker<'_, '_>, from: &HuggingFace, around: &Around<'_>) -> Keys {
    let list = Path::of("huggingface.keys");
    let house = organisation(check, &Path::of("huggingface.bill_to"), from.bill_to.as_deref());
    let mut keys = Keys::default();
    let mut seen: HashMap<&str, Path> = HashMap::new();
    for (index, key) in from.keys.iter().enumerate() {
        let path = check.report.element(&list, index);
        key_name(check, &path.key("name"), &key.name);
        if let Some(first) = seen.insert(&key.name, path.clone()) {
            check
                .report
                .add(&path.key("name"), format!("this name is taken by {first}; each key has a name of its own"));
        }
        let own = organisation(check, &path.key("bill_to"), key.bill_to.as_deref());
        let secret = secret(check, &path.key("value"), &key.value);
        let backend = key.backend.as_deref().map(|name| backend(check, &path.key("backend"), name, around));
        if backend.is_some() && key.bill_to.is_some() {
            let message =
                "only calls with an hf_ token can be billed to an organisation; leave this out for a backend's own key";
            check.report.add(&path.key("bill_to"), message.to_owned());
        }
        let Some(secret) = secret else { continue };
        let name: Arc<str> = key.name.as_str().into();
        match (backend, is_hugging_face(&secret)) {
            (None, true) => keys.routed.push(Key { name, secret, bill_to: own.or_else(|| house.clone()) }),
            (Some(Some(backend)), false) => {
                keys.direct.entry(backend).or_default().push(Key { name, secret, bill_to: None });
            }
            (Some(None), false) => {}
            (None, false) => check.report.add(
                &path.key("value"),
                "this is not a token of Hugging Face: it does not begin with hf_; for a backend's own key add backend = \"…\"".to_owned(),
            ),
            (Some(_), true) => check.report.add(
                &path.key("value"),
                "this is an hf_ token, which goes to the router and never to a backend itself; leave out backend, or give the backend's own key".to_owned(),
            ),
        }
    }
    let listed = from.keys.iter().any(|key| key.backend.is_none());
    if from.implicit_token
        && !listed
        && let Some((name, secret)) = implicit_token(check)
    {
        keys.routed.push(Key { name: name.as_str().into(), secret, bill_to: house });
    }
    keys
}

/// Vendors' keys, and whether callers may bring their own.
pub(crate) fn vendors(
    check: &mut Checker<'_, '_>,
    providers: &BTreeMap<String, Provider>,
    backends: &[BackendIds<'_>],
    on_loopback: bool,
    keys: &mut Keys,
) {
    let unset = Provider::default();
    for (backend, vendor) in backends.iter().filter_map(|backend| Some((backend, backend.vendor?))) {
        let id = BackendName::new(backend.id);
        let own = providers.get(backend.id).unwrap_or(&unset);
        let path = Path::of("providers").key(backend.id);
        for (index, key) in own.keys.iter().enumerate() {
            let path = check.report.element(&path.key("keys"), index);
            key_name(check, &path.key("name"), &key.name);
            let Some(secret) = secret(check, &path.key("value"), &key.value) else { continue };
            if is_hugging_face(&secret) {
                let message = "this is an hf_ token, which goes to Hugging Face's router and nowhere else";
                check.report.add(&path.key("value"), message.to_owned());
                continue;
            }
            keys.direct.entry(id.clone()).or_default().push(Key {
                name: key.name.as_str().into(),
                secret,
                bill_to: None,
            });
        }
        if own.environment_key && own.keys.is_empty() {
            let reference = SecretRef::Env(vendor.variable.to_owned());
            if let Some(secret) = secret(check, &path.key("environment_key"), &reference) {
                keys.direct.entry(id.clone()).or_default().push(Key {
                    name: vendor.variable.into(),
                    secret,
                    bill_to: None,
                });
            }
        }
        let callers = match own.caller_keys {
            CallerKeys::Always => true,
            CallerKeys::Never => false,
            CallerKeys::Auto => on_loopback && !keys.has_direct(&id),
        };
        if callers {
            keys.vendors.insert(id, vendor.is_key);
        }
    }
}

/// The secret behind a reference; if there is none, that was reported.
pub(crate) fn secret(check: &mut Checker<'_, '_>, path: &Path, reference: &SecretRef) -> Option<Secret> {
    let text = match reference {
        SecretRef::Env(name) => match check.sources.env.get(name) {
            Some(text) => text.clone(),
            None => {
                let name = shown::value(name);
                check.report.add(path, format!("the environment variable {name} is not set"));
                return None;
            }
        },
        SecretRef::File(file) => {
            let file = check.beside_file(path, file);
            match (check.sources.read_file)(&file) {
                Ok(text) => text,
                Err(error) => {
                    check.report.add(path, unreadable(&file, &error));
                    return None;
                }
            }
        }
    };
    match clean(&text) {
        Ok(secret) => Some(secret),
        Err(why) => {
            check.report.add(path, format!("the secret behind this reference {why}"));
            None
        }
    }
}

/// Why a file could not be read, without what the system says in its own words.
pub(crate) fn unreadable(file: &std::path::Path, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "does not exist",
        io::ErrorKind::PermissionDenied => "may not be read by this user",
        io::ErrorKind::InvalidData => "is not text",
        io::ErrorKind::IsADirectory => "is a folder",
        _ => "cannot be read",
    };
    format!("the file {} {why}", shown::value(&file.to_string_lossy()))
}

/// A secret without the white space around it, if it can stand in a header.
fn clean(text: &str) -> Result<Secret, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > 4096 {
        return Err("is longer than 4096 characters");
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("has spaces, line ends or letters beyond ASCII in it, which no key has");
    }
    Ok(Secret::new(text))
}

fn key_name(check: &mut Checker<'_, '_>, path: &Path, name: &str) {
    if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
        check.report.add(path, "a key's name has 1 to 64 characters".to_owned());
    } else if shown::value(name) == types::secret::MASK {
        check
            .report
            .add(path, "this looks like a secret; the name is what you call the key, and it is logged".to_owned());
    }
}

pub(crate) fn organisation(check: &mut Checker<'_, '_>, path: &Path, name: Option<&str>) -> Option<Arc<str>> {
    let name = name?;
    if !is_organisation(name) {
        let message = "expected the name of an organisation on Hugging Face: letters, digits, '-', '_' and '.'";
        check.report.add(path, message.to_owned());
        return None;
    }
    Some(name.into())
}

/// The backend whose own key it is, if it has an address of its own.
fn backend(check: &mut Checker<'_, '_>, path: &Path, name: &str, around: &Around<'_>) -> Option<BackendName> {
    let Some(id) = around.names.backend(name) else {
        let near = nearest::hint(name, around.names.known());
        check.report.add(path, format!("there is no backend {}{near}", shown::value(name)));
        return None;
    };
    let Some(backend) = around.backends.iter().find(|backend| backend.id == id.as_str()) else {
        check.report.add(path, format!("{id} is a server of your own: its key stands in servers.{id}.key"));
        return None;
    };
    if backend.direct_base.is_none() && !around.based.contains(id) {
        check
            .report
            .add(path, format!("{id} has no address of its own: calls to it go through the router, with an hf_ token"));
        return None;
    }
    Some(id.clone())
}

/// The token that Hugging Face's own clients would use, and what it is called.
fn implicit_token(check: &mut Checker<'_, '_>) -> Option<(String, Secret)> {
    let env = check.sources.env;
    for name in TOKENS {
        let Some(text) = env.get(name).filter(|text| !text.trim().is_empty()) else { continue };
        let bad = match clean(text) {
            Ok(secret) if is_hugging_face(&secret) => return Some((name.to_owned(), secret)),
            Ok(_) => "does not begin with hf_, so it is not a token of Hugging Face",
            Err(why) => why,
        };
        let message = format!("its value {bad}; unset it, or set huggingface.implicit_token = false");
        check.report.add_at(Place::Variable(name.to_owned()), &Path::root(), message);
        return None;
    }
    if env.get("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some_and(|text| is_true(text)) {
        return None;
    }
    let file = token_file(env)?;
    let text = match (check.sources.read_file)(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            check.notes.push(format!("no token was taken: {}", unreadable(&file, &error)));
            return None;
        }
    };
    match clean(&text) {
        Ok(secret) if is_hugging_face(&secret) => Some(("token file".to_owned(), secret)),
        _ => {
            let file = shown::value(&file.to_string_lossy());
            check.notes.push(format!("no token was taken: the file {file} holds no token that begins with hf_"));
            None
        }
    }
}

/// Where Hugging Face's clients keep the token of `hf auth login`.
fn token_file(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let set = |name: &str| env.get(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    if let Some(path) = set("HF_TOKEN_PATH") {
        return Some(path);
    }
    let home = set("HF_HOME")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
        .or_else(|| set("HOME").or_else(|| set("USERPROFILE")).map(|home| home.join(".cache/huggingface")))?;
    Some(home.join("token"))
}

/// As Hugging Face's clients read a switch.
fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
}
