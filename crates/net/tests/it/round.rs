//! The client against the server: both halves of the crate in one round.

use crate::bed::*;
use bytes::Bytes;
use types::SendBody;

#[tokio::test]
async fn a_request_goes_round_and_the_connection_is_used_again() {
    let server = serve(echo());
    let (client, origin) = (client(), origin(server.address()));
    for n in 0..5 {
        let reply = client.send(&origin, post("/v1/x?y=1", "hello".to_owned()), soon()).await.unwrap();
        assert_eq!(reply.reused, n > 0);
        assert_eq!(text(reply).await, "POST /v1/x?y=1 5");
    }
}

#[tokio::test]
async fn a_body_of_many_segments_and_megabytes_arrives_whole() {
    let server = serve(echo());
    let mut body = SendBody::empty();
    for n in 0..300_usize {
        body.push(Bytes::from(vec![b'x'; n * 37]));
    }
    let length = body.len();
    let reply = client().send(&origin(server.address()), post("/", body), soon()).await.unwrap();
    assert_eq!(text(reply).await, format!("POST / {length}"));
}

#[tokio::test]
async fn a_large_reply_arrives_whole() {
    let server = serve(answers(|_| async { whole(vec![b'y'; 3_000_000]) }));
    let reply = client().send(&origin(server.address()), get("/"), soon()).await.unwrap();
    assert_eq!(held(reply.body).await.unwrap().bytes, vec![b'y'; 3_000_000]);
}
