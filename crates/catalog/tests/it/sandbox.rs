//! Against the built-in sandbox, which plays the Hub and the router from what is known of both.

use std::sync::Arc;

use catalog::{Catalog, Found, Lookup, Settings, State};
use types::{Kind, Secret};

use crate::hub::{catalog, soon};

const BACKENDS: &[&str] = &["hf-inference", "cerebras", "fireworks-ai", "groq", "novita", "together", "zai-org"];

fn start(token: &str) -> (sandbox::Running, Catalog) {
    let sandbox = sandbox::Sandbox::start(sandbox::Settings::default()).unwrap();
    let settings = Settings {
        token: Some(Secret::new(token)),
        backends: BACKENDS.iter().map(|id| Arc::from(*id)).collect(),
        page_size: 3,
        ..Settings::new(sandbox.url(), sandbox.url())
    };
    let catalog = catalog(settings);
    (sandbox, catalog)
}

#[tokio::test]
async fn the_listing_has_every_backend_with_its_terms() {
    let (_sandbox, catalog) = start("hf_sandbox");
    let listing = catalog.list(soon()).await.unwrap();
    assert!(listing.warnings.is_empty(), "{:?}", listing.warnings);
    for backend in BACKENDS {
        let item = listing.find(&format!("huggingface/{backend}/sandbox/everywhere")).unwrap();
        assert_eq!(item.state, State::Live);
        assert!(item.provider_id.is_some() && item.offer.is_some(), "{item:?}");
    }
    assert!(listing.items.iter().any(|item| item.offer.as_ref().is_some_and(|o| o.input_price.is_some())));
}

#[tokio::test]
async fn renamed_gated_private_and_unknown_models_are_told_apart() {
    let (_sandbox, catalog) = start("hf_sandbox");
    let Ok(Lookup::Known(entry)) = catalog.model("sandbox/everywhere", None, soon()).await else { panic!("unknown") };
    assert!(matches!(entry.chat("groq"), Found::Chat(_)));
    let gated = catalog.model("sandbox/gated", None, soon()).await.unwrap_err();
    assert_eq!(gated.kind, Kind::UpstreamForbidden);
    for hidden in ["sandbox/private", "sandbox/nothing"] {
        assert!(matches!(catalog.model(hidden, None, soon()).await, Ok(Lookup::Unknown)), "{hidden}");
    }
    let member = Secret::new("hf_sandbox_member");
    for seen in ["sandbox/gated", "sandbox/private"] {
        assert!(matches!(catalog.model(seen, Some(&member), soon()).await, Ok(Lookup::Known(_))), "{seen}");
    }
}

#[tokio::test]
async fn an_expired_token_still_finds_public_models() {
    let (_sandbox, catalog) = start("hf_expired");
    assert!(matches!(catalog.model("sandbox/everywhere", None, soon()).await, Ok(Lookup::Known(_))));
}
