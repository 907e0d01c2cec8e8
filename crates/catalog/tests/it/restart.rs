//! What survives a restart.

use std::time::Duration;

use catalog::{Catalog, Found, Lookup, Settings, Wanted};
use net::{Drain, Drained, Upstream, UpstreamSettings};
use types::{Kind, Operation, Secret};

use crate::hub::{Hub, Reply, folder, model, soon};

fn with(settings: Settings, drain: &Drain) -> Catalog {
    let catalog = Catalog::new(settings, Upstream::new(UpstreamSettings::default()), drain.clone()).unwrap();
    catalog.start();
    catalog
}

async fn ended(drain: &Drain) {
    assert_eq!(drain.finished(Duration::from_secs(20)).await, Drained::Clean);
}

#[tokio::test]
async fn a_restart_while_the_hub_is_down_still_knows_its_models() {
    let dir = folder("restart");
    let hub = Hub::start(|asked| match asked.path() {
        "/api/models" => Reply::json(
            r#"[{"id":"o/m","inferenceProviderMapping":[{"provider":"groq","providerId":"own","status":"live","task":"conversational"}]}]"#,
        ),
        "/v1/models" => Reply::json(r#"{"data":[]}"#),
        _ => Reply::json(model("o/m", "groq", "own")),
    })
    .await;
    let settings = Settings {
        cache_dir: Some(dir.clone()),
        backends: vec![Wanted { backend: "groq".into(), operations: vec![Operation::Chat] }],
        ..hub.settings()
    };
    let drain = Drain::new();
    let first = with(settings.clone(), &drain);
    let mine = Secret::new("hf_mine");
    first.model("o/m", None, soon()).await.unwrap();
    first.model("o/of-a-caller", Some(&mine), soon()).await.unwrap();
    assert_eq!(first.list(soon()).await.unwrap().items.len(), 1);
    // Going down writes what was learnt, without waiting for the usual moment.
    ended(&drain).await;
    hub.stop().await;

    let drain = Drain::new();
    let second = with(settings.clone(), &drain);
    let Lookup::Known(entry) = second.model("o/m", None, soon()).await.unwrap() else { panic!("unknown") };
    assert!(matches!(entry.serving("groq", Operation::Chat), Found::Served(s) if &*s.provider_id == "own"));
    assert!(second.list(soon()).await.unwrap().find("huggingface/groq/o/m").is_some());
    let fault = second.model("o/of-a-caller", None, soon()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::CatalogUnavailable, "a caller's sight is not kept");
    ended(&drain).await;

    let drain = Drain::new();
    let foreign = with(Settings { token: Some(Secret::new("hf_another")).into(), ..settings }, &drain);
    assert!(foreign.model("o/m", None, soon()).await.is_err(), "what another token saw is not used");
    ended(&drain).await;
    let _ = std::fs::remove_dir_all(&dir);
}

#[tokio::test]
async fn a_damaged_file_is_overlooked_and_replaced() {
    let dir = folder("damaged");
    std::fs::create_dir_all(&dir).unwrap();
    for name in ["models", "listing", "market"] {
        std::fs::write(dir.join(format!("{name}.json")), "{ not json").unwrap();
    }
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "own"))).await;
    let drain = Drain::new();
    let catalog = with(Settings { cache_dir: Some(dir.clone()), ..hub.settings() }, &drain);
    assert!(matches!(catalog.model("o/m", None, soon()).await, Ok(Lookup::Known(_))));
    ended(&drain).await;
    assert!(std::fs::read_to_string(dir.join("models.json")).unwrap().contains("o/m"));
    let _ = std::fs::remove_dir_all(&dir);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_nothing_but_the_memory() {
    let file = folder("file");
    std::fs::write(&file, "in the way").unwrap();
    let hub = Hub::start(|_| Reply::json(model("o/m", "groq", "own"))).await;
    let drain = Drain::new();
    let catalog = with(Settings { cache_dir: Some(file.clone()), ..hub.settings() }, &drain);
    assert!(matches!(catalog.model("o/m", None, soon()).await, Ok(Lookup::Known(_))));
    ended(&drain).await;
    std::fs::remove_file(&file).unwrap();
}
