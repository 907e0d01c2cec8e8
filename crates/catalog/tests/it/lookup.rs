//! Models one by one.

use std::{sync::Arc, time::Duration};

use catalog::{Catalog, Found, Lookup, ModelEntry, Settings};
use types::{Kind, Operation, Secret};

use crate::hub::{Hub, Reply, catalog, model, soon};

async fn known(catalog: &Catalog, id: &str) -> Arc<ModelEntry> {
    match catalog.model(id, None, soon()).await.unwrap() {
        Lookup::Known(entry) => entry,
        Lookup::Unknown => panic!("{id} is unknown"),
    }
}

fn provider_id(entry: &ModelEntry, backend: &str) -> String {
    match entry.serving(backend, Operation::Chat) {
        Found::Served(serving) => serving.provider_id.to_string(),
        other => panic!("{other:?}"),
    }
}

fn is_unknown(found: &types::Result<Lookup>) -> bool {
    matches!(found, Ok(Lookup::Unknown))
}

#[tokio::test]
async fn a_model_is_looked_up_once_and_remembered() {
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "own"))).await;
    let catalog = hub.catalog();
    assert!(catalog.peek("o/m", None).is_none());
    assert_eq!(provider_id(&*known(&catalog, "o/m").await, "groq"), "own");
    known(&catalog, "o/m").await;
    assert!(catalog.peek("o/m", None).is_some());
    let journal = hub.journal();
    assert_eq!(journal.len(), 1);
    assert_eq!(journal[0].target, "/api/models/o/m?expand=inferenceProviderMapping");
    assert_eq!(journal[0].authorization, None);
}

#[tokio::test]
async fn a_hundred_who_ask_at_once_are_one_look_up() {
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "own")).held()).await;
    let catalog = hub.catalog();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let catalog = catalog.clone();
        asking.spawn(async move { provider_id(&*known(&catalog, "o/m").await, "groq") });
    }
    hub.asked(1).await;
    hub.let_go();
    let answers = asking.join_all().await;
    assert!(answers.len() == 100 && answers.iter().all(|id| id == "own"));
    assert_eq!(hub.journal().len(), 1);
}

#[tokio::test]
async fn a_caller_who_leaves_cancels_the_look_up_for_nobody() {
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "own")).held()).await;
    let catalog = hub.catalog();
    {
        let leaving = catalog.model("o/m", None, soon());
        tokio::select! {
            _ = leaving => panic!("held"),
            () = hub.asked(1) => {}
        }
    }
    let staying = catalog.model("o/m", None, soon());
    hub.let_go();
    assert!(matches!(staying.await, Ok(Lookup::Known(_))));
    assert_eq!(hub.journal().len(), 1);
}

#[tokio::test]
async fn a_renamed_model_is_followed_and_known_under_both_names() {
    let hub = Hub::start(|asked| match asked.path() {
        "/api/models/old" => Reply::status(307, "Temporary Redirect").header("location", "/api/models/new/name"),
        _ => Reply::json(model("new/name", "groq", "own")),
    })
    .await;
    let catalog = hub.catalog();
    assert_eq!(&*known(&catalog, "old").await.hub_id, "new/name");
    assert!(catalog.peek("old", None).is_some() && catalog.peek("new/name", None).is_some());
    assert_eq!(hub.journal()[1].target, "/api/models/new/name?expand=inferenceProviderMapping");
}

#[tokio::test]
async fn a_redirect_to_another_origin_or_without_end_is_not_followed() {
    let stranger = Hub::start(|_| Reply::json(model("o/m", "groq", "evil"))).await;
    let away = format!("http://{}/api/models/o/m", stranger.addr);
    let hub = Hub::start(move |asked| match asked.path() {
        "/api/models/o/away" => Reply::status(307, "").header("location", away.clone()),
        _ => Reply::status(307, "").header("location", "/api/models/o/loop"),
    })
    .await;
    let catalog = catalog(Settings { token: Some(Secret::new("hf_token")).into(), ..hub.settings() });
    let fault = catalog.model("o/away", None, soon()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::CatalogUnavailable);
    assert_eq!(stranger.journal().len(), 0, "the token must not travel");
    let before = hub.journal().len();
    assert!(catalog.model("o/loop", None, soon()).await.is_err());
    assert_eq!(hub.journal().len() - before, 4);
}

#[tokio::test]
async fn with_another_token_everything_is_asked_again_and_with_the_same_nothing() {
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "own"))).await;
    let catalog = catalog(Settings { token: Some(Secret::new("hf_first")).into(), ..hub.settings() });
    known(&catalog, "o/m").await;
    catalog.present(Some(Secret::new("hf_first")));
    known(&catalog, "o/m").await;
    assert_eq!(hub.journal().len(), 1);
    catalog.present(Some(Secret::new("hf_second")));
    known(&catalog, "o/m").await;
    hub.asked(2).await;
    let journal = hub.journal();
    assert_eq!(journal.len(), 2);
    assert_eq!(journal[1].authorization.as_deref(), Some("Bearer hf_second"));
}

#[tokio::test]
async fn a_stale_entry_is_served_while_one_look_up_renews_it() {
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "first"))).await;
    let catalog = catalog(Settings { fresh: Duration::ZERO, pause: Duration::from_secs(600), ..hub.settings() });
    known(&catalog, "o/m").await;
    hub.now(|_| Reply::json(model("o/m", "groq", "second")).held());
    for _ in 0..50 {
        assert_eq!(provider_id(&*known(&catalog, "o/m").await, "groq"), "first");
    }
    hub.asked(2).await;
    hub.let_go();
    while provider_id(&catalog.peek("o/m", None).unwrap(), "groq") == "first" {
        tokio::task::yield_now().await;
    }
    assert_eq!(hub.journal().iter().filter(|a| a.path() == "/api/models/o/m").count(), 2);
}

#[tokio::test]
async fn what_is_known_serves_while_the_hub_fails() {
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "own"))).await;
    // Expired at once: every question would go to the Hub.
    let catalog = catalog(Settings { fresh: Duration::ZERO, stale: Duration::ZERO, ..hub.settings() });
    known(&catalog, "o/m").await;
    for status in [500, 502, 503, 429, 418] {
        hub.now(move |_| Reply::status(status, "{}"));
        assert_eq!(provider_id(&*known(&catalog, "o/m").await, "groq"), "own", "{status}");
        let fault = catalog.model("o/never-seen", None, soon()).await.unwrap_err();
        assert_eq!(fault.kind, Kind::CatalogUnavailable, "{status}");
    }
    hub.stop().await;
    assert_eq!(provider_id(&*known(&catalog, "o/m").await, "groq"), "own");
}

#[tokio::test]
async fn a_slow_hub_costs_a_caller_no_more_than_its_deadline() {
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "own")).held()).await;
    let catalog = hub.catalog();
    let deadline = std::time::Instant::now() + Duration::from_millis(30);
    let fault = catalog.model("o/m", None, deadline).await.unwrap_err();
    assert_eq!(fault.kind, Kind::CatalogUnavailable);
    hub.asked(1).await;
    hub.let_go();
    known(&catalog, "o/m").await;
    assert_eq!(hub.journal().len(), 1, "the look-up went on and was not repeated");
}

#[tokio::test]
async fn a_hub_that_never_answers_ends_the_look_up_itself() {
    let hub = Hub::start(|_| Reply::json("{}").held()).await;
    let catalog = catalog(Settings { lookup_time: Duration::from_millis(30), ..hub.settings() });
    let fault = catalog.model("o/m", None, soon()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::CatalogUnavailable);
    assert!(!fault.message.contains("127.0.0.1"), "{}", fault.message);
}

#[tokio::test]
async fn a_forgotten_entry_is_looked_up_afresh() {
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "first"))).await;
    let catalog = catalog(Settings { pause: Duration::from_secs(600), ..hub.settings() });
    known(&catalog, "o/m").await;
    hub.now(|_| Reply::json(model("o/m", "groq", "second")));
    assert!(catalog.forget("o/m"));
    assert_eq!(provider_id(&*known(&catalog, "o/m").await, "groq"), "second");
    assert!(!catalog.forget("o/m"), "a model that is gone must not become a look-up per call");
    known(&catalog, "o/m").await;
    assert_eq!(hub.journal().len(), 2);
}

#[tokio::test]
async fn a_forgotten_entry_still_serves_when_the_hub_is_gone() {
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "own"))).await;
    let catalog = hub.catalog();
    known(&catalog, "o/m").await;
    hub.stop().await;
    assert!(catalog.forget("o/m"));
    assert_eq!(provider_id(&*known(&catalog, "o/m").await, "groq"), "own");
}

#[tokio::test]
async fn unknown_is_remembered_for_a_while_and_odd_names_are_never_asked() {
    let hub = Hub::start(|asked| Reply::status(if asked.target.contains("a404") { 404 } else { 401 }, "{}")).await;
    let catalog = hub.catalog();
    for id in ["o/a404", "o/a401"] {
        assert!(is_unknown(&catalog.model(id, None, soon()).await));
        assert!(is_unknown(&catalog.model(id, None, soon()).await));
    }
    assert_eq!(hub.journal().len(), 2);
    for odd in ["", "..", "o/../x", "o/m?x=1", "o/m#x", "o/m\r\nHost: x", "a/b/c", "o/%2e%2e", &"x".repeat(1_000_000)] {
        assert!(is_unknown(&catalog.model(odd, None, soon()).await));
    }
    assert_eq!(hub.journal().len(), 2);
}

#[tokio::test]
async fn a_gated_model_says_where_to_ask_for_access() {
    let hub = Hub::start(|_| Reply::status(403, "{}").header("x-error-code", "GatedRepo")).await;
    let catalog = hub.catalog();
    for _ in 0..2 {
        let fault = catalog.model("o/gated", None, soon()).await.unwrap_err();
        assert_eq!(fault.kind, Kind::UpstreamForbidden);
        assert!(fault.message.contains("/o/gated with the account"), "{}", fault.message);
    }
    assert_eq!(hub.journal().len(), 1);
}

#[tokio::test]
async fn a_private_model_is_seen_by_its_owners_token_only() {
    let hub = Hub::start(|asked| match asked.authorization.as_deref() {
        Some("Bearer hf_owner") => Reply::json(model("o/private", "groq", "own")),
        Some(_) => Reply::status(404, "{}"),
        None => Reply::status(401, "{}"),
    })
    .await;
    let catalog = catalog(Settings { token: Some(Secret::new("hf_gateway")).into(), ..hub.settings() });
    let (owner, other) = (Secret::new("hf_owner"), Secret::new("hf_other"));
    assert!(matches!(catalog.model("o/private", Some(&owner), soon()).await, Ok(Lookup::Known(_))));
    assert!(is_unknown(&catalog.model("o/private", Some(&other), soon()).await));
    assert!(is_unknown(&catalog.model("o/private", None, soon()).await));
    assert!(catalog.peek("o/private", Some(&owner)).is_some());
    assert!(catalog.peek("o/private", Some(&other)).is_none() && catalog.peek("o/private", None).is_none());
    let keys: Vec<_> = hub.journal().into_iter().filter_map(|a| a.authorization).collect();
    assert_eq!(keys, ["Bearer hf_owner", "Bearer hf_other", "Bearer hf_gateway"]);
}

#[tokio::test]
async fn a_token_that_the_hub_refuses_does_not_hide_public_models() {
    let hub = Hub::start(|asked| match asked.authorization {
        Some(_) => Reply::status(401, r#"{"error":"Invalid credentials"}"#),
        None => Reply::json(model("o/m", "groq", "own")),
    })
    .await;
    let catalog = catalog(Settings { token: Some(Secret::new("hf_expired")).into(), ..hub.settings() });
    known(&catalog, "o/m").await;
}

#[tokio::test]
async fn an_array_shaped_mapping_is_read_like_an_object() {
    let body = r#"{"id":"o/m","inferenceProviderMapping":[
        {"provider":"novita","providerId":"n/m","status":"staging","task":"conversational"}]}"#;
    let hub = Hub::start(move |_| Reply::json(body)).await;
    assert_eq!(provider_id(&*known(&hub.catalog(), "o/m").await, "novita"), "n/m");
}

#[tokio::test]
async fn an_adapter_comes_with_its_kind_and_its_weights() {
    let body = r#"{"id":"o/lora","inferenceProviderMapping":{"fal-ai":{"status":"live","providerId":"base/lora",
        "task":"text-to-image","adapter":"lora","adapterWeightsPath":"w/x.safetensors","type":"tag-filter"},
        "replicate":{"status":"live","providerId":"r","task":"text-to-image","adapter":"lora"}}}"#;
    let hub = Hub::start(move |_| Reply::json(body)).await;
    let entry = known(&hub.catalog(), "o/lora").await;
    let adapters: Vec<_> = entry.servings_of(Operation::Image).map(|s| s.adapter.clone().unwrap()).collect();
    assert!(adapters.iter().all(|a| &*a.kind == "lora"));
    let weights: Vec<_> = adapters.iter().map(|a| a.weights_path.as_deref()).collect();
    assert_eq!(weights, [Some("w/x.safetensors"), None]);
}

#[tokio::test]
async fn an_answer_that_is_no_model_or_too_large_is_an_outage() {
    let hub = Hub::start(|asked| match asked.path() {
        "/api/models/o/html" => Reply::json("<html>login</html>"),
        _ => Reply::json(format!(r#"{{"id":"o/m","pad":"{}"}}"#, "x".repeat(2 << 20))),
    })
    .await;
    let catalog = hub.catalog();
    for id in ["o/html", "o/large"] {
        let fault = catalog.model(id, None, soon()).await.unwrap_err();
        assert_eq!(fault.kind, Kind::CatalogUnavailable, "{id}");
    }
}

#[tokio::test]
async fn memory_stays_within_its_bound() {
    let hub = Hub::start(|_| Reply::status(404, "{}")).await;
    let catalog = catalog(Settings { max_models: 32, ..hub.settings() });
    for i in 0..200 {
        assert!(is_unknown(&catalog.model(&format!("o/{i}"), None, soon()).await));
    }
    assert!(catalog.remembered() <= 32, "{}", catalog.remembered());
}

#[tokio::test]
async fn more_look_ups_than_allowed_are_refused_at_once() {
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "own")).held()).await;
    let catalog = catalog(Settings { max_lookups: 1, ..hub.settings() });
    let first = catalog.model("o/m", None, soon());
    tokio::pin!(first);
    tokio::select! {
        _ = &mut first => panic!("held"),
        () = hub.asked(1) => {}
    }
    let fault = catalog.model("o/n", None, soon()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Overloaded);
    hub.let_go();
    first.await.unwrap();
}
