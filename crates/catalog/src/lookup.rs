//! One look-up of one model at the Hub, from the question to what it means.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use types::Secret;

use crate::{
    entry::ModelEntry,
    read,
    source::{Next, Source},
};

/// How many renamings are followed.
const HOPS: usize = 3;

/// How large the Hub's answer for one model may be.
const LIMIT: usize = 1024 * 1024;

/// What a look-up came to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The model, with every name that led to it.
    Known { entry: Arc<ModelEntry>, names: Arc<[Arc<str>]> },
    /// The Hub does not know it, or does not show it to this credential.
    Unknown,
    /// The Hub knows it and does not let this credential see it: access must be asked for.
    Gated,
    /// The Hub could not be asked. The reason is for the log.
    Unavailable(Arc<str>),
}

/// Whether a name can be a model's id on the Hub. Nothing else is ever put into a path.
pub(crate) fn is_hub_id(name: &str) -> bool {
    // On the way of every call: bytes, not patterns.
    let (mut slashes, mut begin, mut last) = (0, 0, b'/');
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'/' if slashes == 0 && (1..=96).contains(&at) => (slashes, begin) = (1, at + 1),
            b'.' if matches!(last, b'.' | b'/') => return false,
            b'.' | b'-' | b'_' => {}
            _ if byte.is_ascii_alphanumeric() => {}
            _ => return false,
        }
        last = byte;
    }
    (1..=96).contains(&(name.len() - begin))
}

/// Looks `name` up with `token`, within `time`.
pub(crate) async fn look_up(source: &Source, name: &Arc<str>, token: Option<&Secret>, time: Duration) -> Outcome {
    let deadline = Instant::now() + time;
    match ask(source, name, token, deadline).await {
        // A token that the Hub refuses hides public models too: ask as nobody.
        Err(_) if token.is_some() => ask(source, name, None, deadline).await.unwrap_or_else(|refused| refused.0),
        outcome => outcome.unwrap_or_else(|refused| refused.0),
    }
}

/// The Hub answered 401: the token is bad, or, without one, the model is private, gated or unknown.
struct Refused(Outcome);

async fn ask(source: &Source, name: &Arc<str>, token: Option<&Secret>, deadline: Instant) -> Result<Outcome, Refused> {
    let mut names = vec![Arc::clone(name)];
    let mut target = source.target(&format!("/api/models/{name}?expand=inferenceProviderMapping"));
    for _ in 0..=HOPS {
        let got = match source.get(&target, token, LIMIT, deadline).await {
            Ok(got) => got,
            Err(trouble) => return Ok(Outcome::Unavailable(trouble.into())),
        };
        match got.status {
            200 => return Ok(known(&got.body, names)),
            401 => return Err(Refused(hidden(got.code.as_deref()))),
            403 | 404 => return Ok(hidden(got.code.as_deref())),
            301 | 302 | 307 | 308 => match got.moved {
                Some(Next::Here(to)) => {
                    names.extend(named_in(source, &to));
                    target = keep_question(to);
                }
                _ => return Ok(Outcome::Unavailable("the Hub redirects to another place".into())),
            },
            status => return Ok(Outcome::Unavailable(format!("the Hub answered {status}").into())),
        }
    }
    Ok(Outcome::Unavailable("the Hub redirects too often".into()))
}

/// What a refusal means, by the Hub's own word for it.
fn hidden(code: Option<&str>) -> Outcome {
    if code == Some("GatedRepo") { Outcome::Gated } else { Outcome::Unknown }
}

fn known(body: &[u8], mut names: Vec<Arc<str>>) -> Outcome {
    match read::model(body) {
        Ok(entry) => {
            if is_hub_id(&entry.hub_id) {
                names.push(Arc::clone(&entry.hub_id));
            }
            names.sort_unstable();
            names.dedup();
            Outcome::Known { entry: Arc::new(entry), names: names.into() }
        }
        Err(why) => Outcome::Unavailable(format!("the Hub's answer cannot be read: {why}").into()),
    }
}

/// The model that a redirect's target names.
fn named_in(source: &Source, target: &str) -> Option<Arc<str>> {
    let path = target.split('?').next()?;
    let name = path.strip_prefix(&source.target("/api/models/"))?;
    is_hub_id(name).then(|| name.into())
}

/// A redirect may leave the question out; the answer would then lack the mapping.
fn keep_question(target: String) -> String {
    if target.contains("inferenceProviderMapping") {
        return target;
    }
    let mark = if target.contains('?') { '&' } else { '?' };
    format!("{target}{mark}expand=inferenceProviderMapping")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_name_is_put_into_a_path() {
        for good in ["gpt2", "openai/gpt-oss-120b", "a/b.c_d-1", "meta-llama/Llama-3.1-8B-Instruct"] {
            assert!(is_hub_id(good), "{good}");
        }
        for bad in [
            "", "/", "a/", "/a", "a/b/c", "..", "a/..", "a/.", "a/b..c", "a b", "a?b", "a#b", "a%2fb", "a\r\nb", "ä/b",
            "a:b",
        ] {
            assert!(!is_hub_id(bad), "{bad:?}");
        }
        assert!(!is_hub_id(&"a".repeat(97)));
    }

    #[test]
    fn a_redirect_without_the_question_gets_it_again() {
        let question = "expand=inferenceProviderMapping";
        assert_eq!(keep_question("/api/models/a/b".into()), format!("/api/models/a/b?{question}"));
        assert_eq!(keep_question("/m?x=1".into()), format!("/m?x=1&{question}"));
        assert_eq!(keep_question(format!("/m?{question}")), format!("/m?{question}"));
    }
}
