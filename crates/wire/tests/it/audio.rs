//! Speech and transcription: calls read, transcripts and events written.

use bytes::Bytes;
use serde_json::{Value, json};
use types::{
    Fault, Kind, Usage,
    ask::{AudioFormat, Piece, Transcript, TranscriptFormat, TranscriptionAsk, Upload},
};
use wire::{
    json::Limits,
    multipart::{Content, Field, Form},
    openai::audio::{
        LONGEST_INPUT, SpeechCall, TranscriptionCall, Translate, sound_delta, sound_done, text_delta, text_done,
        transcript,
    },
};

fn speech(body: &Value) -> types::Result<SpeechCall> {
    SpeechCall::read(&Bytes::from(body.to_string()), &Limits::default())
}

#[test]
fn a_speech_call_is_read_whole() {
    let call = speech(&json!({"model": "huggingface/x/y", "input": "Hello\n", "voice": "alloy", "response_format": "wav",
        "speed": 1.25, "instructions": "softly", "stream_format": "sse", "extra_body": {"exaggeration": 0.5}, "seed": 18446744073709551615_u64}))
    .unwrap();
    assert_eq!((&*call.model, call.events), ("huggingface/x/y", true));
    assert_eq!((&*call.ask.input, call.ask.voice.as_deref()), ("Hello\n", Some("alloy")));
    assert_eq!(call.ask.format, Some(AudioFormat::Wav));
    assert_eq!(call.ask.speed.map(|s| s.to_string()), Some("1.25".into()));
    assert_eq!(call.ask.instructions.as_deref(), Some("softly"));
    assert_eq!(Value::from(call.ask.extra), json!({"seed": 18446744073709551615_u64, "exaggeration": 0.5}));

    let call = speech(&json!({"model": "m", "input": "x", "voice": {"id": "voice_1"}, "speed": null})).unwrap();
    assert_eq!((call.ask.voice.as_deref(), call.events, call.ask.format), (Some("voice_1"), false, None));
    assert!(call.ask.speed.is_none() && call.ask.extra.is_empty());
    assert!(speech(&json!({"model": "m", "input": "x"})).unwrap().ask.voice.is_none());
    assert!(speech(&json!({"model": "m", "input": "é".repeat(LONGEST_INPUT)})).is_ok());
}

#[test]
fn wrong_members_of_a_speech_call_are_refused_by_name() {
    for (body, param) in [
        (json!({"input": "x"}), "model"),
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": " "}), "input"),
        (json!({"model": "m", "input": ["x"]}), "input"),
        (json!({"model": "m", "input": "é".repeat(LONGEST_INPUT + 1)}), "input"),
        (json!({"model": "m", "input": "x", "voice": 5}), "voice"),
        (json!({"model": "m", "input": "x", "voice": {"name": "v"}}), "voice.id"),
        (json!({"model": "m", "input": "x", "response_format": "ogg"}), "response_format"),
        (json!({"model": "m", "input": "x", "response_format": 3}), "response_format"),
        (json!({"model": "m", "input": "x", "speed": 0.2}), "speed"),
        (json!({"model": "m", "input": "x", "speed": 4.1}), "speed"),
        (json!({"model": "m", "input": "x", "speed": "1"}), "speed"),
        (json!({"model": "m", "input": "x", "stream_format": "text"}), "stream_format"),
        (json!({"model": "m", "input": "x", "extra_params": 1}), "extra_params"),
    ] {
        let fault = speech(&body).expect_err(&body.to_string());
        assert_eq!((fault.kind, fault.param.as_deref()), (Kind::BadRequest, Some(param)), "{}", fault.message);
    }
    let twice = Bytes::from_static(b"{\"model\":\"m\",\"input\":\"a\",\"input\":\"b\"}");
    assert_eq!(SpeechCall::read(&twice, &Limits::default()).unwrap_err().param.as_deref(), Some("input"));
}

#[test]
fn sound_becomes_events() {
    assert_eq!(sound_delta(b"\0\x01\xff"), "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AAH/\"}\n\n");
    assert_eq!(sound_done(None), "data: {\"type\":\"speech.audio.done\"}\n\n");
    let usage = Usage { input: 3, output: 4, ..Usage::default() };
    assert_eq!(
        sound_done(Some(&usage)),
        "data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}}\n\n"
    );
}

fn sound() -> Content {
    let bytes = Bytes::from_static(b"fLaC").into();
    Content::File(Upload { bytes, file_name: Some("a.flac".into()), claimed_type: Some("audio/flac".into()) })
}

fn form(fields: &[(&str, &str)]) -> Form {
    let mut form = Form::new();
    form.fields.push(Field { name: "file".into(), content: sound() });
    for (name, text) in fields {
        form.fields.push(Field { name: (*name).into(), content: Content::Text((*text).into()) });
    }
    form
}

fn call(fields: &[(&str, &str)]) -> types::Result<TranscriptionCall> {
    TranscriptionCall::read(form(fields), Translate::No)
}

fn refused(fields: &[(&str, &str)]) -> Box<Fault> {
    call(fields).expect_err(&format!("{fields:?}"))
}

#[test]
fn a_transcription_call_is_read_from_fields_in_any_order() {
    let fields = [
        ("timestamp_granularities[]", "word"),
        ("language", "de"),
        ("temperature", "0.2"),
        ("timestamp_granularities[]", "segment"),
        ("response_format", "verbose_json"),
        ("prompt", "Ironbow"),
        ("chunking_strategy", "auto"),
        ("stream", "false"),
        ("num_beams", "5"),
        ("extra_body[chunk_level]", "segment"),
        ("task_name", "x"),
        ("model", "m"),
    ];
    let read = call(&fields).unwrap();
    let mut reversed = form(&fields);
    reversed.fields.reverse();
    let mut again = TranscriptionCall::read(reversed, Translate::ToEnglish).unwrap();
    assert!(again.ask.translate);
    again.ask.translate = false;
    assert_eq!(again, read);
    assert_eq!((&*read.model, read.stream, read.ask.words, read.ask.segments), ("m", false, true, true));
    assert_eq!(read.ask.format, TranscriptFormat::VerboseJson);
    assert_eq!((read.ask.language.as_deref(), read.ask.prompt.as_deref()), (Some("de"), Some("Ironbow")));
    assert_eq!(read.ask.temperature.map(|t| t.to_string()), Some("0.2".into()));
    assert_eq!(Value::from(read.ask.extra), json!({"num_beams": 5, "chunk_level": "segment", "task_name": "x"}));
    assert_eq!(
        (read.ask.file.bytes, read.ask.file.file_name.as_deref()),
        (Bytes::from_static(b"fLaC").into(), Some("a.flac"))
    );
}

#[test]
fn times_are_those_that_the_format_and_the_granularities_want() {
    for (fields, words, segments) in [
        (&[("model", "m")][..], false, false),
        (&[("model", "m"), ("response_format", "text"), ("language", "")], false, false),
        (&[("model", "m"), ("response_format", "srt")], false, true),
        (&[("model", "m"), ("response_format", "verbose_json")], false, true),
        (&[("model", "m"), ("response_format", "verbose_json"), ("timestamp_granularities", "word")], true, false),
    ] {
        let ask = call(fields).unwrap().ask;
        assert_eq!((ask.words, ask.segments), (words, segments), "{fields:?}");
    }
    assert!(call(&[("model", "m"), ("stream", "True")]).unwrap().stream);
}

#[test]
fn wrong_fields_of_a_transcription_are_refused_by_name() {
    for (fields, param, kind) in [
        (&[][..], "model", Kind::BadRequest),
        (&[("model", "")], "model", Kind::BadRequest),
        (&[("model", "m"), ("model", "m")], "model", Kind::BadRequest),
        (&[("model", "m"), ("response_format", "xml")], "response_format", Kind::BadRequest),
        (&[("model", "m"), ("response_format", "diarized_json")], "response_format", Kind::UnsupportedParameter),
        (&[("model", "m"), ("temperature", "hot")], "temperature", Kind::BadRequest),
        (&[("model", "m"), ("temperature", "3")], "temperature", Kind::BadRequest),
        (&[("model", "m"), ("timestamp_granularities[]", "word")], "timestamp_granularities", Kind::BadRequest),
        (
            &[("model", "m"), ("response_format", "verbose_json"), ("timestamp_granularities", "letter")],
            "timestamp_granularities",
            Kind::BadRequest,
        ),
        (&[("model", "m"), ("include[]", "logprobs")], "include", Kind::UnsupportedParameter),
        (&[("model", "m"), ("known_speaker_names[]", "Ann")], "known_speaker_names", Kind::UnsupportedParameter),
        (
            &[("model", "m"), ("chunking_strategy", "{\"type\":\"server_vad\"}")],
            "chunking_strategy",
            Kind::UnsupportedParameter,
        ),
        (&[("model", "m"), ("stream", "true"), ("response_format", "srt")], "stream", Kind::UnsupportedParameter),
        (&[("model", "m"), ("stream", "maybe")], "stream", Kind::BadRequest),
        (&[("model", "m"), ("file", "https://x.example/a.wav")], "file", Kind::BadRequest),
        (&[("model", "m"), ("extra_body", "x")], "extra_body", Kind::BadRequest),
    ] {
        let fault = refused(fields);
        assert_eq!((fault.kind, fault.param.as_deref()), (kind, Some(param)), "{fields:?}: {}", fault.message);
    }
    let file = |name: &str, content| Field { name: name.into(), content };
    let model = || file("model", Content::Text("m".into()));
    let empty = Upload { bytes: Bytes::new().into(), file_name: Some("a".into()), claimed_type: None };
    for (fields, param) in [
        (vec![model()], "file"),
        (vec![model(), file("file", sound()), file("file", sound())], "file"),
        (vec![model(), file("file", sound()), file("sound", sound())], "sound"),
        (vec![model(), file("file", Content::File(empty))], "file"),
    ] {
        let mut form = Form::new();
        form.fields = fields;
        let fault = TranscriptionCall::read(form, Translate::No).unwrap_err();
        assert_eq!((fault.kind, fault.param.as_deref()), (Kind::BadRequest, Some(param)));
    }
}

fn heard() -> Transcript {
    let piece = |start, end, text: &str| Piece { start, end, text: text.into(), speaker: None };
    Transcript {
        text: " He said <yes> & left. Then nothing --> at all.".into(),
        language: Some("english".into()),
        duration: Some(3725.5),
        segments: vec![
            piece(0.0, Some(1.0004), " He said <yes> & left."),
            piece(1.0005, None, " Then\n\n\nnothing "),
            piece(59.9996, Some(59.0), "--> at"),
            piece(3723.004, None, " all.\r\n"),
        ],
        words: vec![piece(0.1, Some(0.4), " He"), piece(0.4, None, "said")],
    }
}

fn ask(format: TranscriptFormat) -> TranscriptionAsk {
    let mut ask = call(&[("model", "m")]).unwrap().ask;
    ask.format = format;
    ask.segments = format.needs_times();
    ask
}

fn written(heard: &Transcript, format: TranscriptFormat) -> String {
    String::from_utf8(transcript(heard, &ask(format)).unwrap().body.to_vec()).unwrap()
}

#[test]
fn subtitles_have_exact_times_and_no_cue_breaks_another() {
    let srt = "1\n00:00:00,000 --> 00:00:01,000\nHe said <yes> & left.\n\n\
        2\n00:00:01,001 --> 00:01:00,000\nThen\nnothing\n\n\
        3\n00:01:00,000 --> 00:01:00,000\n-> at\n\n\
        4\n01:02:03,004 --> 01:02:05,500\nall.\n\n";
    assert_eq!(written(&heard(), TranscriptFormat::Srt), srt);
    let vtt = "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHe said &lt;yes> &amp; left.\n\n\
        00:00:01.001 --> 00:01:00.000\nThen\nnothing\n\n\
        00:01:00.000 --> 00:01:00.000\n-> at\n\n\
        01:02:03.004 --> 01:02:05.500\nall.\n\n";
    assert_eq!(written(&heard(), TranscriptFormat::Vtt), vtt);
    let kind = |format| transcript(&heard(), &ask(format)).unwrap().content_type;
    assert_eq!(kind(TranscriptFormat::Srt), "text/plain; charset=utf-8");
    assert_eq!(kind(TranscriptFormat::Vtt), "text/vtt; charset=utf-8");
    let odd = Transcript {
        segments: vec![Piece { start: -1.0, end: Some(f64::NAN), text: "x".into(), speaker: None }],
        ..Transcript::default()
    };
    assert_eq!(written(&odd, TranscriptFormat::Srt), "1\n00:00:00,000 --> 00:00:00,000\nx\n\n");
}

#[test]
fn without_pieces_all_of_the_text_is_one_cue_if_the_length_is_known() {
    let whole = Transcript { text: " hello ".into(), duration: Some(2.5), ..Transcript::default() };
    assert_eq!(written(&whole, TranscriptFormat::Srt), "1\n00:00:00,000 --> 00:00:02,500\nhello\n\n");
    let unknown = Transcript { duration: None, ..whole };
    let fault = transcript(&unknown, &ask(TranscriptFormat::Vtt)).unwrap_err();
    assert_eq!((fault.kind, fault.param.as_deref()), (Kind::UpstreamBadReply, Some("response_format")));
    let silence = Transcript { duration: Some(1.0), ..Transcript::default() };
    assert_eq!(written(&silence, TranscriptFormat::Vtt), "WEBVTT\n\n");
    assert_eq!(written(&silence, TranscriptFormat::Srt), "");
}

#[test]
fn text_and_json_hold_the_words() {
    assert_eq!(written(&heard(), TranscriptFormat::Text), "He said <yes> & left. Then nothing --> at all.\n");
    let json: Value = serde_json::from_str(&written(&heard(), TranscriptFormat::Json)).unwrap();
    assert_eq!(json, json!({"text": heard().text, "usage": {"type": "duration", "seconds": 3726}}));
    let bare = Transcript { text: "a".into(), ..Transcript::default() };
    assert_eq!(written(&bare, TranscriptFormat::Json), "{\"text\":\"a\"}");
}

#[test]
fn verbose_json_says_what_is_known_and_nothing_else() {
    let mut ask = ask(TranscriptFormat::VerboseJson);
    ask.words = true;
    ask.translate = true;
    let mut heard = heard();
    heard.segments.truncate(2);
    heard.segments[1].speaker = Some("A".into());
    let read = |heard: &Transcript, ask: &TranscriptionAsk| -> Value {
        serde_json::from_slice(&transcript(heard, ask).unwrap().body).unwrap()
    };
    assert_eq!(
        read(&heard, &ask),
        json!({
            "task": "translate", "language": "english", "duration": 3725.5, "text": heard.text,
            "segments": [
                {"id": 0, "seek": 0, "start": 0.0, "end": 1.0, "text": " He said <yes> & left.", "tokens": []},
                {"id": 1, "seek": 0, "start": 1.001, "end": 3725.5, "text": " Then\n\n\nnothing ", "tokens": [], "speaker": "A"},
            ],
            "words": [{"word": "He", "start": 0.1, "end": 0.4}, {"word": "said", "start": 0.4, "end": 3725.5}],
            "usage": {"type": "duration", "seconds": 3726},
        })
    );
    let ask = call(&[("model", "m"), ("response_format", "verbose_json"), ("language", "de")]).unwrap().ask;
    let little = Transcript { text: "a".into(), ..Transcript::default() };
    assert_eq!(read(&little, &ask), json!({"task": "transcribe", "language": "de", "text": "a", "segments": []}));
}

#[test]
fn text_becomes_events() {
    assert_eq!(text_delta("a\"b\n"), "data: {\"type\":\"transcript.text.delta\",\"delta\":\"a\\\"b\\n\"}\n\n");
    let done = text_done(&Transcript { text: "ab".into(), ..Transcript::default() });
    assert_eq!(done, "data: {\"type\":\"transcript.text.done\",\"text\":\"ab\"}\n\n");
}
