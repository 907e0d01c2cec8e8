//! The lists.

use std::time::Duration;

use catalog::{Settings, State, Wanted};
use types::{Kind, Operation, Secret};

use crate::hub::{Asked, Hub, Reply, catalog, soon};

const MARKET: &str = r#"{"object":"list","data":[{"id":"o/a","object":"model","created":5,"owned_by":"o",
    "architecture":{"input_modalities":["text"],"output_modalities":["text"]},
    "providers":[{"provider":"groq","status":"live","context_length":8192,"pricing":{"input":0.15,"output":3}}]}]}"#;

fn settings(hub: &Hub, backends: &[&str]) -> Settings {
    let chatting = |backend: &&str| Wanted { backend: (*backend).into(), operations: vec![Operation::Chat] };
    Settings { backends: backends.iter().map(chatting).collect(), ..hub.settings() }
}

fn asked_for(asked: &Asked, wanted: &str) -> String {
    let query = asked.target.split('?').nth(1).unwrap_or_default();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned()).collect()
}

fn backend_of(asked: &Asked) -> String {
    asked_for(asked, "inference_provider")
}

fn entry(id: &str, backend: &str) -> String {
    format!(
        r#"{{"id":"{id}","createdAt":"2024-07-16T00:00:00.000Z","inferenceProviderMapping":
            [{{"provider":"{backend}","providerId":"p","status":"live","task":"conversational"}}]}}"#
    )
}

fn page(ids: &[&str], backend: &str) -> String {
    let entries: Vec<_> = ids.iter().map(|id| entry(id, backend)).collect();
    format!("[{}]", entries.join(","))
}

#[tokio::test]
async fn every_backend_is_asked_and_the_routers_terms_are_added() {
    let hub = Hub::start(|asked| match asked.path() {
        "/v1/models" => Reply::json(MARKET),
        _ => Reply::json(page(&["o/a", "o/b"], &backend_of(asked))),
    })
    .await;
    let catalog =
        catalog(Settings { token: Some(Secret::new("hf_gateway")).into(), ..settings(&hub, &["groq", "novita"]) });
    assert!(catalog.market().is_none(), "never waits");
    let listing = catalog.list(soon()).await.unwrap();
    let ids: Vec<&str> = listing.items.iter().map(|i| &*i.id).collect();
    assert_eq!(
        ids,
        ["huggingface/groq/o/a", "huggingface/groq/o/b", "huggingface/novita/o/a", "huggingface/novita/o/b"]
    );
    assert!(listing.warnings.is_empty(), "{:?}", listing.warnings);
    let item = listing.find("huggingface/groq/o/a").unwrap();
    let offer = item.offer.as_ref().unwrap();
    assert_eq!((offer.context_length, offer.input_price.unwrap().to_string()), (Some(8192), "0.15".to_owned()));
    assert_eq!((item.state, item.created), (State::Live, Some(1_721_088_000)));
    assert!(listing.find("huggingface/novita/o/a").unwrap().offer.is_none());
    assert!(catalog.market().unwrap().find("o/a").is_some());
    let before = hub.journal();
    assert!(before.iter().all(|a| a.authorization.as_deref() == Some("Bearer hf_gateway")));
    catalog.list(soon()).await.unwrap();
    assert_eq!(hub.journal().len(), before.len(), "a fresh listing is not asked for again");
}

#[tokio::test]
async fn pages_are_followed_to_their_end_at_the_same_origin() {
    let stranger = Hub::start(|_| Reply::json(page(&["evil/m"], "groq"))).await;
    let away = format!("<http://{}/api/models?cursor=x>; rel=\"next\"", stranger.addr);
    let hub = Hub::start(move |asked| match (asked.path(), backend_of(asked).as_str()) {
        ("/v1/models", _) => Reply::json(MARKET),
        (_, "novita") => Reply::json(page(&["o/n"], "novita")).header("link", away.clone()),
        _ if asked.target.contains("cursor=2") => Reply::json(page(&["o/c"], "groq")),
        _ if asked.target.contains("cursor=1") => {
            Reply::json(page(&["o/b"], "groq")).header("link", "</api/models?cursor=2>; rel=\"next\"")
        }
        _ => Reply::json(page(&["o/a"], "groq")).header("link", "</api/models?cursor=1>; rel=\"next\""),
    })
    .await;
    let listing = catalog(settings(&hub, &["groq", "novita"])).list(soon()).await.unwrap();
    assert_eq!(listing.items.iter().filter(|i| &*i.backend == "groq").count(), 3);
    assert!(listing.find("huggingface/novita/o/n").is_some(), "what was read before is kept");
    assert_eq!(listing.warnings.len(), 1);
    assert_eq!(&*listing.warnings[0].source, "novita");
    assert_eq!(stranger.journal().len(), 0);
}

#[tokio::test]
async fn pages_without_end_are_cut_and_said_so() {
    let hub = Hub::start(|asked| match asked.path() {
        "/v1/models" => Reply::json(MARKET),
        _ => {
            let n: usize = asked.target.split("cursor=").nth(1).map_or(0, |n| n.parse().unwrap());
            let next = format!("</api/models?cursor={}>; rel=\"next\"", n + 1);
            Reply::json(page(&[&format!("o/{n}")], "groq")).header("link", next)
        }
    })
    .await;
    let catalog = catalog(Settings { max_pages: 5, ..settings(&hub, &["groq"]) });
    let listing = catalog.list(soon()).await.unwrap();
    assert!(listing.find("huggingface/groq/o/4").is_some() && listing.find("huggingface/groq/o/5").is_none());
    assert_eq!(listing.warnings.len(), 1);
}

#[tokio::test]
async fn a_backend_that_fails_is_named_and_the_rest_is_served() {
    let hub = Hub::start(|asked| match (asked.path(), backend_of(asked).as_str()) {
        ("/v1/models", _) => Reply::status(500, "{}"),
        (_, "novita") => Reply::status(503, "{}"),
        (_, "nscale") => Reply::json("not json"),
        _ => Reply::json(page(&["o/a"], "groq")),
    })
    .await;
    let listing = catalog(settings(&hub, &["groq", "novita", "nscale"])).list(soon()).await.unwrap();
    assert_eq!(listing.items.len(), 1);
    let named: Vec<&str> = listing.warnings.iter().map(|w| &*w.source).collect();
    assert_eq!(named, ["novita", "nscale", "router"]);
    assert!(listing.warnings[0].message.contains("503"), "{:?}", listing.warnings[0]);
}

#[tokio::test]
async fn a_token_that_the_hub_refuses_does_not_hide_the_public_lists() {
    let hub = Hub::start(|asked| match (asked.path(), &asked.authorization) {
        ("/v1/models", _) => Reply::json(MARKET),
        (_, Some(_)) => Reply::status(401, r#"{"error":"Invalid credentials"}"#),
        _ => Reply::json(page(&["o/a"], "groq")),
    })
    .await;
    let settings = Settings { token: Some(Secret::new("hf_expired")).into(), ..settings(&hub, &["groq"]) };
    let listing = catalog(settings).list(soon()).await.unwrap();
    assert!(listing.items.len() == 1 && listing.complete, "{:?}", listing.warnings);
}

#[tokio::test]
async fn when_nobody_answers_there_is_a_fault_and_later_what_was_known() {
    let hub = Hub::start(|_| Reply::status(500, "{}")).await;
    let catalog = catalog(Settings { list_fresh: Duration::ZERO, ..settings(&hub, &["groq"]) });
    let fault = catalog.list(soon()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::CatalogUnavailable);
    hub.now(|asked| match asked.path() {
        "/v1/models" => Reply::json(MARKET),
        _ => Reply::json(page(&["o/a"], "groq")),
    });
    assert_eq!(catalog.list(soon()).await.unwrap().items.len(), 1);
    hub.stop().await;
    for _ in 0..3 {
        assert_eq!(catalog.list(soon()).await.unwrap().items.len(), 1);
    }
}

#[tokio::test]
async fn a_slow_backend_costs_its_own_time_only() {
    let hub = Hub::start(|asked| match (asked.path(), backend_of(asked).as_str()) {
        ("/v1/models", _) => Reply::json(MARKET),
        (_, "novita") => Reply::json("[]").held(),
        _ => Reply::json(page(&["o/a"], "groq")),
    })
    .await;
    let catalog = catalog(Settings { list_time: Duration::from_millis(300), ..settings(&hub, &["groq", "novita"]) });
    let listing = catalog.list(soon()).await.unwrap();
    assert_eq!(listing.items.len(), 1);
    assert_eq!(&*listing.warnings[0].source, "novita");
}

#[tokio::test]
async fn many_who_ask_for_the_list_are_one_fetch() {
    let hub = Hub::start(|asked| match asked.path() {
        "/v1/models" => Reply::json(MARKET).held(),
        _ => Reply::json(page(&["o/a"], "groq")),
    })
    .await;
    let catalog = catalog(settings(&hub, &["groq"]));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let catalog = catalog.clone();
        asking.spawn(async move { catalog.list(soon()).await.unwrap().items.len() });
    }
    hub.asked(1).await;
    hub.let_go();
    assert!(asking.join_all().await.iter().all(|n| *n == 1));
    assert_eq!(hub.journal().len(), 2);
}

#[tokio::test]
async fn each_operation_is_asked_for_by_its_tasks_and_nothing_else_is() {
    let hub = Hub::start(|asked| match asked.path() {
        "/v1/models" => Reply::json(MARKET),
        _ => {
            let (tag, pipeline) = (asked_for(asked, "filter"), asked_for(asked, "pipeline_tag"));
            let task = if tag.is_empty() { pipeline } else { tag };
            let entry = entry(&format!("o/{task}"), &backend_of(asked)).replace("conversational", &task);
            Reply::json(format!("[{entry}]"))
        }
    })
    .await;
    let wanted =
        |backend: &str, operations: &[Operation]| Wanted { backend: backend.into(), operations: operations.to_vec() };
    let backends = vec![
        wanted("fal-ai", &[Operation::Image, Operation::ImageStream, Operation::ImageEdit]),
        wanted("hf-inference", &[Operation::Embeddings, Operation::Chat]),
    ];
    let listing = catalog(Settings { backends, ..hub.settings() }).list(soon()).await.unwrap();
    let rows: Vec<_> = listing.items.iter().map(|item| (&*item.id, item.task.name())).collect();
    assert_eq!(
        rows,
        [
            ("huggingface/fal-ai/o/image-to-image", "image-to-image"),
            ("huggingface/fal-ai/o/text-to-image", "text-to-image"),
            ("huggingface/hf-inference/o/conversational", "conversational"),
            ("huggingface/hf-inference/o/feature-extraction", "feature-extraction"),
            ("huggingface/hf-inference/o/sentence-similarity", "sentence-similarity"),
        ]
    );
    assert!(listing.warnings.is_empty() && listing.complete, "{:?}", listing.warnings);
    assert_eq!(hub.journal().len(), 6, "the streams share a list with their whole answers");
}

#[tokio::test]
async fn a_list_longer_than_what_is_read_of_one_is_cut_and_not_asked_for_again_at_once() {
    let hub = Hub::start(|asked| match asked.path() {
        "/v1/models" => Reply::json(MARKET),
        _ => {
            let n: usize = asked.target.split("cursor=").nth(1).map_or(0, |n| n.parse().unwrap());
            let next = format!("</api/models?inference_provider=groq&cursor={}>; rel=\"next\"", n + 1);
            Reply::json(page(&[&format!("o/{n}-a"), &format!("o/{n}-b")], "groq")).header("link", next)
        }
    })
    .await;
    let catalog = catalog(Settings { max_per_list: 5, ..settings(&hub, &["groq"]) });
    let listing = catalog.list(soon()).await.unwrap();
    assert_eq!(listing.items.iter().filter(|item| item.offer.is_none()).count(), 5);
    assert!(listing.complete && listing.warnings[0].message.contains("most liked"), "{:?}", listing.warnings);
}

#[tokio::test]
async fn ten_thousand_models_are_listed() {
    const PAGES: usize = 10;
    let hub = Hub::start(|asked| match asked.path() {
        "/v1/models" => Reply::json(MARKET),
        _ => {
            let n: usize = asked.target.split("cursor=").nth(1).map_or(0, |n| n.parse().unwrap());
            let (backend, ids) = (backend_of(asked), 0..1000);
            let ids: Vec<String> = ids.map(|i| format!("organisation-{i}/model-of-usual-length-{n}")).collect();
            let reply = Reply::json(page(&ids.iter().map(String::as_str).collect::<Vec<_>>(), &backend));
            if n + 1 == PAGES {
                return reply;
            }
            let next = format!("</api/models?inference_provider={backend}&cursor={}>; rel=\"next\"", n + 1);
            reply.header("link", next)
        }
    })
    .await;
    let listing = catalog(settings(&hub, &["nscale"])).list(soon()).await.unwrap();
    assert_eq!(listing.items.len(), 10_000);
    assert!(listing.warnings.is_empty(), "{:?}", listing.warnings);
}
