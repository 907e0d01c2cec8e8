//! The contract of kept files.

use store::Store;
use types::ports::{PortError, kept::FileId};

use crate::support::{NOW, at, new_file};

over_every_store!(
    a_file_is_read_in_parts_as_it_was_put,
    a_file_that_expired_is_not_found_and_then_deleted,
    a_full_keeper_refuses_and_keeps_what_it_has,
    a_file_that_is_too_large_is_refused,
    an_id_that_was_never_given_out_finds_nothing,
    many_puts_together_cannot_pass_the_bound,
);

const MEGABYTE: &[u8] = &[7; 1_000_000];

async fn a_file_is_read_in_parts_as_it_was_put(store: &Store) {
    let kept = store.kept();
    let file = kept.put(new_file(&[b"\x89PNG", b"", b" and so on"]), NOW).await.unwrap();
    assert_eq!((file.size, file.media_type.as_str(), file.created), (14, "image/png", NOW));
    assert_eq!(kept.get(&file.id, NOW).await.unwrap().as_ref(), Some(&file));
    assert_eq!(kept.read(&file.id, 0, 1_000).await.unwrap(), &b"\x89PNG and so on"[..]);
    assert_eq!(kept.read(&file.id, 3, 5).await.unwrap(), &b"G and"[..]);
    assert_eq!(kept.read(&file.id, 14, 5).await.unwrap(), &b""[..]);
    assert_eq!(kept.read(&file.id, u64::MAX, usize::MAX).await.unwrap(), &b""[..]);

    let large = kept.put(new_file(&[MEGABYTE, MEGABYTE, b"end"]), NOW).await.unwrap();
    let (mut offset, mut last) = (0, Vec::new());
    loop {
        let part = kept.read(&large.id, offset, usize::MAX).await.unwrap();
        assert!(part.len() <= 1024 * 1024, "a reader holds little, whatever it asks for");
        if part.is_empty() {
            break;
        }
        offset += part.len() as u64;
        last = part.to_vec();
    }
    assert_eq!(offset, large.size);
    assert!(last.ends_with(b"\x07end"));
    let empty = kept.put(new_file(&[]), NOW).await.unwrap();
    assert_eq!((empty.size, kept.read(&empty.id, 0, 9).await.unwrap().len()), (0, 0));
}

async fn a_file_that_expired_is_not_found_and_then_deleted(store: &Store) {
    let kept = store.kept();
    let file = kept.put(new_file(&[b"abc"]), NOW).await.unwrap();
    let mut later = new_file(&[b"def"]);
    later.expires = at(7_200_000);
    let later = kept.put(later, NOW).await.unwrap();
    assert!(kept.get(&file.id, at(3_599_999)).await.unwrap().is_some());
    assert_eq!(kept.get(&file.id, at(3_600_000)).await.unwrap(), None);
    assert_eq!(kept.read(&file.id, 1, 9).await.unwrap(), "bc", "who has begun can go on");
    assert_eq!(kept.expire(at(3_599_999)).await.unwrap(), 0);
    assert_eq!(kept.expire(at(3_600_000)).await.unwrap(), 1);
    assert!(matches!(kept.read(&file.id, 0, 9).await, Err(PortError::Unavailable(_))));
    assert_eq!(kept.read(&later.id, 0, 9).await.unwrap(), "def");
}

async fn a_full_keeper_refuses_and_keeps_what_it_has(store: &Store) {
    let kept = store.kept();
    let mut files = Vec::new();
    for _ in 0..4 {
        files.push(kept.put(new_file(&[MEGABYTE]), NOW).await.unwrap());
    }
    let refused = kept.put(new_file(&[b"x"]), NOW).await;
    assert_eq!(refused, Err(PortError::Full("the kept files are too large together")));
    for file in &files {
        assert!(kept.get(&file.id, NOW).await.unwrap().is_some(), "an address that was given out stays good");
    }
    assert_eq!(kept.expire(at(3_600_000)).await.unwrap(), 4);
    for _ in 0..20 {
        kept.put(new_file(&[b"x"]), NOW).await.unwrap();
    }
    assert_eq!(kept.put(new_file(&[b"x"]), NOW).await, Err(PortError::Full("too many files are kept")));
}

async fn a_file_that_is_too_large_is_refused(store: &Store) {
    let refused = store.kept().put(new_file(&[MEGABYTE, MEGABYTE, MEGABYTE, b"x"]), NOW).await;
    assert_eq!(refused, Err(PortError::TooLarge { what: "file", size: 3_000_001, limit: 3_000_000 }));
}

async fn an_id_that_was_never_given_out_finds_nothing(store: &Store) {
    let unknown = FileId::from_bits(1);
    assert_eq!(store.kept().get(&unknown, NOW).await.unwrap(), None);
    assert!(matches!(store.kept().read(&unknown, 0, 9).await, Err(PortError::Unavailable(_))));
    let ids = [
        store.kept().put(new_file(&[b"a"]), NOW).await.unwrap(),
        store.kept().put(new_file(&[b"a"]), NOW).await.unwrap(),
    ];
    assert_ne!(ids[0].id, ids[1].id);
}

async fn many_puts_together_cannot_pass_the_bound(store: &Store) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let kept = store.kept();
        tasks.spawn(async move { kept.put(new_file(&[MEGABYTE]), NOW).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|kept| *kept).count(), 4);
}
