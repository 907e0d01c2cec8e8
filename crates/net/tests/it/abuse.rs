//! Callers that abuse HTTP/2: frames written by hand over TLS. The connection is ended; others are served on.

use crate::{
    bed::*,
    tls::{Trust, h2_by_hand},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// `GET https://a/`, by the static table of HPACK and one literal.
const GET: &[u8] = &[0x82, 0x87, 0x84, 0x41, 0x01, b'a'];

/// Sends the preface and then what `flood` makes, n = 0, 1, 2, …, until the server ends the connection. Gives the code
/// of its GOAWAY, if it said one, and how many rounds it took.
async fn flooded(flood: impl Fn(u32) -> Vec<u8>) -> (Option<u32>, u32) {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (server, origin) = trust.serve(answers(|_| std::future::pending::<net::Response>()));
    let tls = h2_by_hand(&trust, &server).await;
    let (mut read, mut write) = tokio::io::split(tls);
    let mut rounds = 0;
    let writing = async {
        write.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.ok();
        while rounds < 100_000 && write.write_all(&flood(rounds)).await.is_ok() {
            rounds += 1;
        }
        write.flush().await.ok();
        std::future::pending::<()>().await;
    };
    let reading = async {
        let mut code = None;
        loop {
            let mut head = [0; 9];
            if read.read_exact(&mut head).await.is_err() {
                return code;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            if read.read_exact(&mut payload).await.is_err() {
                return code;
            }
            if head[3] == GOAWAY {
                code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
    };
    let code = tokio::time::timeout(LONG, async {
        tokio::select! {
            code = reading => code,
            () = writing => None,
        }
    });
    let code = code.await.expect("the connection is not ended");
    // Somebody else is not hurt: a new connection shakes hands and takes a request.
    let deadline = std::time::Instant::now() + std::time::Duration::from_millis(300);
    let error = trust.client().send(&origin, get("/"), deadline).await.unwrap_err();
    assert_eq!(error.kind, net::NetErrorKind::Timeout, "{error}");
    (code, rounds)
}

const ENHANCE_YOUR_CALM: u32 = 11;

#[tokio::test]
async fn streams_opened_and_reset_in_a_row_end_the_connection() {
    let (code, rounds) = flooded(|n| {
        let stream = 2 * n + 1;
        [frame(HEADERS, END_STREAM | END_HEADERS, stream, GET), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    })
    .await;
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
    assert!(rounds < 100_000, "{rounds}");
}

#[tokio::test]
async fn a_head_that_goes_on_for_ever_ends_the_connection() {
    let (_, rounds) = flooded(|n| match n {
        0 => frame(HEADERS, END_STREAM, 1, GET),
        _ => {
            // A literal without indexing: `x: yyy…`.
            let field = [&[0x00, 0x01, b'x', 0x7f, 0x81, 0x7f][..], &[b'y'; 16_384][..]].concat();
            frame(CONTINUATION, 0, 1, &field[..16_000])
        }
    })
    .await;
    assert!(rounds < 1_000, "{rounds} frames were taken");
}

#[tokio::test]
async fn a_small_head_that_unpacks_to_megabytes_is_refused() {
    // One long field into the dynamic table, then thousands of references to it.
    let value = vec![b'y'; 3_000];
    let mut head = GET.to_vec();
    head.extend([0x40, 0x01, b'x', 0x7f]);
    let mut rest = value.len() - 0x7f;
    while rest >= 128 {
        head.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    head.push(rest as u8);
    head.extend(&value);
    head.extend(vec![0xbe; 8_000]);
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (server, _) = trust.serve(echo());
    let mut tls = h2_by_hand(&trust, &server).await;
    let bomb = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_STREAM | END_HEADERS, 1, &head)].concat();
    tls.write_all(&bomb).await.unwrap();
    // Refused by a reset, a 431 or the end of the connection: the service never sees it, and never answers 200.
    let mut read = Vec::new();
    loop {
        let n = tokio::time::timeout(LONG, tls.read_buf(&mut read)).await.expect("no answer").unwrap_or(0);
        let mut frames = &read[..];
        let mut refused = n == 0;
        while frames.len() >= 9 {
            let length = u32::from_be_bytes([0, frames[0], frames[1], frames[2]]) as usize;
            let Some(payload) = frames.get(9..9 + length) else { break };
            refused |= matches!(frames[3], RST_STREAM | GOAWAY);
            if frames[3] == HEADERS {
                // 0x88 is `:status: 200` in the static table.
                assert_ne!(payload[0], 0x88);
                refused = true;
            }
            frames = &frames[9 + length..];
        }
        if refused {
            return;
        }
    }
}
