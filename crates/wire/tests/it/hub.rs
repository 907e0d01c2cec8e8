//! The Hub's and the router's lists.

use serde_json::{Value, json};
use types::Operation;
use wire::{
    hub::{Adapter, State, mapping, models, router_model, router_models},
    openai::models::{List, Model, Page, Pricing, one},
};

#[test]
fn a_mapping_is_read_as_dictionary_and_as_list() {
    let dict = json!({"_id": "x", "id": "org/m", "inferenceProviderMapping": {
        "b-one": {"status": "live", "providerId": "b/one", "task": "conversational", "isModelAuthor": true, "type": "single-model", "new": 1},
        "b-two": {"status": "staging", "providerId": "two", "task": "text-to-image", "adapter": "lora", "adapterWeightsPath": "w.safetensors"},
        "b-three": {"status": "error", "providerId": "three", "task": "conversational"},
        "b-four": {"status": "resting", "providerId": "four"},
        "broken": {"status": "live"},
        "odd": 7,
    }});
    let mut array = dict.clone();
    let entries: Vec<Value> = dict["inferenceProviderMapping"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, v)| v.is_object())
        .map(|(name, entry)| {
            let mut entry = entry.clone();
            entry["provider"] = json!(name);
            entry
        })
        .collect();
    array["inferenceProviderMapping"] = json!(entries);
    let read = |value: &Value| mapping(value.to_string().as_bytes()).unwrap();
    let info = read(&dict);
    assert_eq!(info, read(&array));
    let found = info.mappings.unwrap();
    assert_eq!(info.id, "org/m");
    let rows: Vec<_> = found
        .iter()
        .map(|m| (m.provider.as_str(), m.provider_id.as_str(), m.state.as_str(), m.task.as_str()))
        .collect();
    assert_eq!(
        rows,
        [
            ("b-one", "b/one", "live", "conversational"),
            ("b-two", "two", "staging", "text-to-image"),
            ("b-three", "three", "error", "conversational"),
            ("b-four", "four", "resting", ""),
        ]
    );
    assert!(found[0].is_model_author && found[0].kind.as_deref() == Some("single-model"));
    assert_eq!(found[1].adapter, Some(Adapter { kind: "lora".into(), weights_path: Some("w.safetensors".into()) }));
    assert_eq!(found[3].state, State::Other("resting".into()));
}

#[test]
fn no_mapping_is_told_from_an_empty_one() {
    assert_eq!(mapping(br#"{"id":"m"}"#).unwrap().mappings, None);
    assert_eq!(mapping(br#"{"id":"m","inferenceProviderMapping":{}}"#).unwrap().mappings, Some(vec![]));
    for bad in [&b"[]"[..], b"{", b"{}", b"", b"null"] {
        assert!(mapping(bad).is_err());
    }
}

#[test]
fn a_page_of_models_is_read_and_odd_entries_are_passed_over() {
    let page = models(br#"[
        {"_id":"1","id":"org/chat","modelId":"org/chat","likes":5,"tags":["x","conversational"],"pipeline_tag":"text-generation","createdAt":"2024-07-16T22:31:04.000Z",
         "inferenceProviderMapping":[{"provider":"b","providerId":"p","status":"live","task":"conversational"}]},
        {"_id":"2"}, 7, {"id":"org/other","tags":null}]"#).unwrap();
    assert_eq!(page.len(), 2);
    assert!(page[0].is_chat() && !page[1].is_chat());
    assert_eq!((page[0].created, page[0].likes), (Some(1_721_169_064), Some(5)));
    assert_eq!(page[0].info.mappings.as_ref().unwrap()[0].provider, "b");
    assert!(models(b"{}").is_err());
}

#[test]
fn the_routers_list_gives_exact_prices_and_what_is_not_said_stays_unknown() {
    let text = br#"{"object":"list","data":[
      {"id":"org/m","object":"model","created":1700000000,"owned_by":"org","architecture":{"input_modalities":["text","image"],"output_modalities":["text"],"x":1},
       "providers":[
         {"provider":"a","status":"live","context_length":131072,"pricing":{"input":0.1,"output":0.30000000000000004},"supports_tools":true,"supports_structured_output":false,"first_token_latency_ms":412.5,"throughput":88.25,"is_model_author":false,"x":{}},
         {"provider":"b","status":"error","pricing":{"input":"2"}},
         {"provider":"c","pricing":{"input":-1,"output":"free"},"context_length":null},
         {"status":"live"}, 5]},
      {"object":"model"}, {"id":"org/bare"}]}"#;
    let found = router_models(text).unwrap();
    assert_eq!(found.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["org/m", "org/bare"]);
    let [a, b, c] = &found[0].offers[..] else { panic!("{:?}", found[0].offers) };
    assert_eq!((a.input_price.unwrap().micros(), a.output_price.unwrap().micros()), (100_000, 300_001));
    assert_eq!(
        (a.context_length, a.supports_tools, a.supports_structured_output),
        (Some(131_072), Some(true), Some(false))
    );
    assert_eq!(
        (a.first_token_latency_us, a.throughput_milli, a.is_model_author),
        (Some(412_500), Some(88_250), Some(false))
    );
    assert_eq!(
        (&b.state, b.input_price.unwrap().micros(), b.output_price, b.supports_tools),
        (&State::Error, 2_000_000, None, None)
    );
    assert_eq!((c.input_price, c.output_price, c.context_length), (None, None, None));
    assert_eq!(found[0].input, ["text", "image"]);
    assert_eq!(router_model(br#"{"id":"org/m","providers":[]}"#).unwrap().id, "org/m");
    assert_eq!(router_model(br#"{"data":{"id":"org/m"}}"#).unwrap().id, "org/m");
    for bad in [&b"[]"[..], b"{", b"{}", b""] {
        assert!(router_models(bad).is_err() && router_model(bad).is_err());
    }
}

#[test]
fn the_list_for_callers_has_openais_shape_and_leaves_out_what_is_unknown() {
    let known = Model {
        id: "huggingface/b/org/m",
        created: 5,
        owned_by: "org",
        task: Some("conversational"),
        operations: vec![Operation::Chat],
        pricing: Some(Pricing { input: wire::hub::Price::dollars("0.15"), output: None }),
        supports_tools: Some(true),
        ..Model::default()
    };
    let bare = Model { id: "x", owned_by: "y", adapter: true, ..Model::default() };
    let warnings = ["b did not answer".to_owned()];
    let page = Page {
        has_more: true,
        first_id: Some("huggingface/b/org/m"),
        last_id: Some("x"),
        next_cursor: Some("m:x"),
        warnings: &warnings,
    };
    let read = |models: &[&Model<'_>], page: &Page<'_>| {
        let mut list = List::default();
        models.iter().for_each(|model| list.push(model));
        serde_json::from_slice::<Value>(&list.end(page)).unwrap()
    };
    let value = read(&[&known, &bare], &page);
    assert_eq!(
        value,
        json!({"object": "list", "data": [
        {"id": "huggingface/b/org/m", "object": "model", "created": 5, "owned_by": "org", "task": "conversational", "operations": ["chat"], "pricing": {"input": "0.15"}, "supports_tools": true},
        {"id": "x", "object": "model", "created": 0, "owned_by": "y", "adapter": true},
    ], "has_more": true, "first_id": "huggingface/b/org/m", "last_id": "x", "next_cursor": "m:x", "warnings": ["b did not answer"]})
    );
    assert_eq!(serde_json::from_slice::<Value>(&one(&known)).unwrap(), value["data"][0]);
    assert_eq!(read(&[], &Page::default()), json!({"object": "list", "data": [], "has_more": false}));
}

#[test]
fn a_long_list_is_whole_and_in_pieces() {
    let ids: Vec<String> = (0..5000).map(|i| format!("huggingface/b/org/m{i}")).collect();
    let (mut list, mut pieces) = (List::default(), Vec::new());
    for id in &ids {
        list.push(&Model { id, owned_by: "org", ..Model::default() });
        pieces.extend(list.piece());
    }
    pieces.push(list.end(&Page::default()));
    assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() < 70 * 1024));
    let value: Value = serde_json::from_slice(&pieces.concat()).unwrap();
    assert_eq!((value["data"].as_array().unwrap().len(), &value["data"][4999]["id"]), (5000, &json!(ids[4999])));
}
