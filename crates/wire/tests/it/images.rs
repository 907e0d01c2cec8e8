//! Pictures: calls read from JSON and forms, answers and events written.

use bytes::Bytes;
use serde_json::{Value, json};
use types::{
    Kind, Usage,
    ask::{Delivery, Made, Picture, Upload},
};
use wire::{
    json::Limits,
    multipart::{Content, Field, Form},
    openai::images::{EditCall, Events, GenerationCall, LONGEST_PROMPT, Settings, What, answer},
};

fn bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn generation(body: &str) -> GenerationCall {
    GenerationCall::read(&Bytes::from(body.to_owned()), &Limits::default()).unwrap_or_else(|f| panic!("{body}: {f}"))
}

#[test]
fn a_generation_is_read_whole() {
    let call = generation(
        r#"{"model":"huggingface/fal-ai/fal-ai/flux/dev","prompt":"a bow","n":2,"size":"1024x768","response_format":"url",
        "output_format":"jpg","seed":18446744073709551615,"negative_prompt":"rust","num_inference_steps":28,"guidance_scale":3.5,
        "moderation":"low","quality":"hd","style":"vivid","background":"auto","user":"u","output_compression":80,
        "stream":true,"partial_images":2,"loras":[{"path":"x","scale":1}],"extra_params":{"acceleration":"high","n":5}}"#,
    );
    assert_eq!((&*call.model, call.stream, call.partial_images), ("huggingface/fal-ai/fal-ai/flux/dev", true, Some(2)));
    let ask = call.ask;
    assert_eq!(
        (&*ask.prompt, ask.n, ask.size, ask.delivery),
        ("a bow", Some(2), Some((1024, 768)), Some(Delivery::Url))
    );
    assert_eq!(ask.output_format.as_deref(), Some("jpeg"));
    assert_eq!(ask.seed.map(|seed| seed.to_string()).as_deref(), Some("18446744073709551615"));
    assert_eq!((ask.negative_prompt.as_deref(), ask.moderation.as_deref()), (Some("rust"), Some("low")));
    assert_eq!(ask.num_inference_steps.map(|n| n.to_string()).as_deref(), Some("28"));
    assert_eq!(ask.guidance_scale.map(|n| n.to_string()).as_deref(), Some("3.5"));
    assert_eq!(
        Value::from(ask.extra),
        json!({"loras": [{"path": "x", "scale": 1}], "acceleration": "high", "output_compression": 80, "quality": "hd", "style": "vivid", "user": "u"})
    );

    let plain = generation(
        r#"{"model":"m","prompt":"a","size":"auto","n":null,"quality":"auto","response_format":"b64_json"}"#,
    );
    assert_eq!((plain.stream, plain.partial_images, plain.ask.size, plain.ask.n), (false, None, None, None));
    assert!(plain.ask.extra.is_empty() && plain.ask.delivery == Some(Delivery::B64Json));
    assert!(generation(r#"{"model":"m","prompt":"a"}"#).ask.delivery.is_none());
}

#[test]
fn a_seed_is_kept_exactly_or_refused() {
    for seed in ["0", "-9223372036854775808", "9223372036854775808", "14715652618304795000"] {
        let ask = generation(&format!(r#"{{"model":"m","prompt":"a","seed":{seed}}}"#)).ask;
        assert_eq!(ask.seed.unwrap().to_string(), seed);
    }
    for seed in ["18446744073709551616", "-9223372036854775809", "1.5", "\"7\""] {
        let body = format!(r#"{{"model":"m","prompt":"a","seed":{seed}}}"#);
        let fault = GenerationCall::read(&body.into(), &Limits::default()).unwrap_err();
        assert_eq!((fault.kind, fault.param.as_deref()), (Kind::BadRequest, Some("seed")), "{seed}");
    }
}

#[test]
fn wrong_members_of_a_generation_are_refused_by_name() {
    for (more, param) in [
        (json!({"model": ""}), "model"),
        (json!({"prompt": " "}), "prompt"),
        (json!({"prompt": 5}), "prompt"),
        (json!({"prompt": "é".repeat(LONGEST_PROMPT + 1)}), "prompt"),
        (json!({"n": 0}), "n"),
        (json!({"n": 11}), "n"),
        (json!({"n": 1.5}), "n"),
        (json!({"n": "2"}), "n"),
        (json!({"size": "1024"}), "size"),
        (json!({"size": "0x10"}), "size"),
        (json!({"size": "+8x8"}), "size"),
        (json!({"size": "16:9"}), "size"),
        (json!({"size": "99999999999x1"}), "size"),
        (json!({"size": "8x8x8"}), "size"),
        (json!({"size": 1024}), "size"),
        (json!({"response_format": "png"}), "response_format"),
        (json!({"output_format": "gif"}), "output_format"),
        (json!({"moderation": "none"}), "moderation"),
        (json!({"background": "blue"}), "background"),
        (json!({"quality": 5}), "quality"),
        (json!({"output_compression": 101}), "output_compression"),
        (json!({"stream": "true"}), "stream"),
        (json!({"partial_images": 4}), "partial_images"),
        (json!({"guidance_scale": "3"}), "guidance_scale"),
    ] {
        let mut body = json!({"model": "m", "prompt": "a"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let fault = GenerationCall::read(&bytes(&body), &Limits::default()).expect_err(&body.to_string());
        assert_eq!((fault.kind, fault.param.as_deref()), (Kind::BadRequest, Some(param)), "{}", fault.message);
    }
}

fn upload(bytes: &'static [u8]) -> Content {
    let bytes = Bytes::from_static(bytes).into();
    Content::File(Upload { bytes, file_name: Some("a.png".into()), claimed_type: Some("image/png".into()) })
}

fn form(fields: Vec<(&str, Content)>) -> Form {
    let mut form = Form::new();
    form.fields = fields.into_iter().map(|(name, content)| Field { name: name.into(), content }).collect();
    form
}

fn text(text: &str) -> Content {
    Content::Text(text.into())
}

fn shown(picture: &Picture) -> String {
    match picture {
        Picture::Bytes(upload) => {
            format!("{} {:?}", upload.bytes.to_bytes().unwrap().escape_ascii(), upload.claimed_type)
        }
        Picture::Url(url) => url.clone(),
    }
}

#[test]
fn an_edit_is_read_from_a_form() {
    let call = EditCall::of_form(form(vec![
        ("image[]", upload(b"one")),
        ("prompt", text("make it blue")),
        ("image[]", upload(b"two")),
        ("mask", upload(b"mask")),
        ("n", text("2")),
        ("size", text("512x512")),
        ("seed", text("14715652618304795000")),
        ("stream", text("true")),
        ("partial_images", text("1")),
        ("guidance_scale", text("3.5")),
        ("enable_safety_checker", text("false")),
        ("user", text("123")),
        ("extra_params[use_image_urls]", text("true")),
        ("extra_body", text("{\"loras\":[1]}")),
        ("model", text("m")),
    ]))
    .unwrap();
    assert_eq!((&*call.model, call.stream, call.partial_images), ("m", true, Some(1)));
    let ask = call.ask;
    let images: Vec<_> = ask.images.iter().map(shown).collect();
    assert_eq!(images, ["one Some(\"image/png\")", "two Some(\"image/png\")"]);
    assert_eq!(ask.mask.as_ref().map(shown).as_deref(), Some("mask Some(\"image/png\")"));
    assert_eq!((&*ask.image.prompt, ask.image.n, ask.image.size), ("make it blue", Some(2), Some((512, 512))));
    assert_eq!(ask.image.seed.unwrap().to_string(), "14715652618304795000");
    assert_eq!(ask.use_image_urls, Some(true));
    assert_eq!(Value::from(ask.image.extra), json!({"enable_safety_checker": false, "loras": [1], "user": "123"}));
}

#[test]
fn an_edit_is_read_from_json() {
    let data = "data:image/webp;base64,AQID";
    let mixed = json!({"model": "m", "prompt": "p", "image": data, "images": [{"image_url": "https://x.example/a.png"}, {"image_url": {"url": data}}, "http://x.example/b"],
        "image_urls": ["data:image/png;charset=x;base64,AQI"], "mask": {"image_url": "data:;base64,AQ=="}, "use_image_urls": false});
    let ask = EditCall::of_json(&bytes(&mixed), &Limits::default()).unwrap().ask;
    let images: Vec<_> = ask.images.iter().map(shown).collect();
    let three = r#"\x01\x02\x03 Some("image/webp")"#;
    assert_eq!(
        images,
        [three, "https://x.example/a.png", three, "http://x.example/b", r#"\x01\x02 Some("image/png")"#]
    );
    assert_eq!(ask.mask.as_ref().map(shown).as_deref(), Some(r"\x01 None"));
    assert_eq!(ask.use_image_urls, Some(false));
    assert!(ask.image.extra.is_empty());
    let bare = json!({"model": "m", "image_url": data});
    assert_eq!(EditCall::of_json(&bytes(&bare), &Limits::default()).unwrap().ask.image.prompt, "");
}

#[test]
fn wrong_pictures_of_an_edit_are_refused_by_name() {
    for (more, param, kind) in [
        (json!({}), "image", Kind::BadRequest),
        (json!({"image": []}), "image", Kind::BadRequest),
        (json!({"image": "file:///etc/passwd"}), "image", Kind::BadRequest),
        (json!({"image": "iVBORw0KGgo="}), "image", Kind::BadRequest),
        (json!({"image": "data:image/png,raw"}), "image", Kind::BadRequest),
        (json!({"image": "data:image/png;base64,%%%"}), "image", Kind::BadRequest),
        (json!({"image": "data:image/png;base64,"}), "image", Kind::BadRequest),
        (json!({"image": "data:"}), "image", Kind::BadRequest),
        (json!({"image": 5}), "image", Kind::BadRequest),
        (json!({"images": ["https://x.example", {"url": 5}]}), "images[1]", Kind::BadRequest),
        (json!({"images": [{"file_id": "file-1"}]}), "images[0]", Kind::UnsupportedParameter),
        (json!({"image": "https://x.example", "mask": "x"}), "mask", Kind::BadRequest),
        (json!({"image": "https://x.example", "use_image_urls": "yes"}), "use_image_urls", Kind::BadRequest),
        (json!({"image_urls": vec!["https://x.example"; 17]}), "image", Kind::BadRequest),
    ] {
        let mut body = json!({"model": "m", "prompt": "a"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let fault = EditCall::of_json(&bytes(&body), &Limits::default()).expect_err(&body.to_string());
        assert_eq!((fault.kind, fault.param.as_deref()), (kind, Some(param)), "{}", fault.message);
    }
    for (name, content, param) in [
        ("picture", upload(b"x"), "picture"),
        ("image", upload(b""), "image"),
        ("image", text("no picture"), "image[0]"),
    ] {
        let fault = EditCall::of_form(form(vec![("model", text("m")), (name, content)])).unwrap_err();
        assert_eq!((fault.kind, fault.param.as_deref()), (Kind::BadRequest, Some(param)));
    }
    let two = form(vec![("model", text("m")), ("image", upload(b"x")), ("mask", upload(b"y")), ("mask", upload(b"z"))]);
    assert_eq!(EditCall::of_form(two).unwrap_err().param.as_deref(), Some("mask"));
}

#[test]
fn an_answer_holds_the_pictures_and_what_the_backend_adds() {
    let extra = json!({"seed": 14687020407684524000_u64, "created": 5, "timings": {"inference": 1.5}, "revised_prompt": ["one", null, "th\"ree"]});
    let long = "QUJD".repeat(1000);
    let made = vec![
        Made::Url("https://x.example/\"a\"".into()),
        Made::Bytes(Bytes::from_static(b"\0\x01")),
        Made::Base64(long.clone()),
    ];
    let body = answer(made, extra.as_object().unwrap(), 1_700_000_000);
    assert_eq!(
        body.pieces().filter(|piece| piece.as_ref().unwrap().len() == long.len()).count(),
        1,
        "a picture is a segment"
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&body.to_bytes()).unwrap(),
        json!({"created": 1_700_000_000, "data": [
            {"url": "https://x.example/\"a\"", "revised_prompt": "one"},
            {"b64_json": "AAE="},
            {"b64_json": long, "revised_prompt": "th\"ree"},
        ], "seed": 14687020407684524000_u64, "timings": {"inference": 1.5}})
    );
    let odd = answer(vec![Made::Base64("\"},{\"".into())], &serde_json::Map::new(), 1);
    assert_eq!(odd.to_bytes(), "{\"created\":1,\"data\":[{\"b64_json\":\"\\\"},{\\\"\"}]}");
    assert_eq!(answer(Vec::new(), &serde_json::Map::new(), 1).to_bytes(), "{\"created\":1,\"data\":[]}");
}

#[test]
fn events_have_the_members_that_the_sdks_read() {
    let ask = generation(r#"{"model":"m","prompt":"a","size":"64x32","quality":"low","output_format":"jpeg"}"#).ask;
    let events = Events::new(What::Generation, Settings::of(&ask));
    assert_eq!(
        events.partial(0, "AAA=", 7).to_bytes(),
        "event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\",\"created_at\":7,\"size\":\"64x32\",\
         \"quality\":\"low\",\"background\":\"auto\",\"output_format\":\"jpeg\",\"partial_image_index\":0,\"b64_json\":\"AAA=\"}\n\n"
    );
    assert_eq!(
        events.completed("AAA=", Some(&Usage { input: 2, output: 3, ..Usage::default() }), 8).to_bytes(),
        "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"created_at\":8,\"size\":\"64x32\",\
         \"quality\":\"low\",\"background\":\"auto\",\"output_format\":\"jpeg\",\"usage\":{\"input_tokens\":2,\
         \"input_tokens_details\":{\"image_tokens\":0,\"text_tokens\":2},\"output_tokens\":3,\"total_tokens\":5},\"b64_json\":\"AAA=\"}\n\n"
    );
    let edits = Events::new(What::Edit, Settings::of(&generation(r#"{"model":"m","prompt":"a"}"#).ask));
    let data = |body: types::SendBody| -> (String, Value) {
        let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        let (event, data) = text.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        (event.to_owned(), serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap())
    };
    let (event, value) = data(edits.partial(3, "AAA=", 7));
    assert_eq!(
        (&*event, &value["type"], &value["partial_image_index"]),
        ("image_edit.partial_image", &json!("image_edit.partial_image"), &json!(3))
    );
    let (event, value) = data(edits.completed("no \"base64\"\n", None, 7));
    assert_eq!((&*event, &value["b64_json"]), ("image_edit.completed", &json!("no \"base64\"\n")));
    assert_eq!((&value["size"], &value["output_format"]), (&json!("auto"), &json!("png")));
    assert_eq!((&value["usage"]["total_tokens"], &value["usage"]["estimated"]), (&json!(0), &json!(true)));
}
