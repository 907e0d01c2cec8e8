//! The AWS SDKs' event stream: binary messages of a prelude, headers, a payload and two checksums.
//!
//! ```text
//! total length (4) · headers' length (4) · CRC-32 of these 8 bytes (4) · headers · payload · CRC-32 of all before (4)
//! ```
//!
//! Numbers are big-endian. A header is its name's length (1), the name, its type (7: a string), the string's length (2) and
//! the string.

use bytes::{BufMut, Bytes, BytesMut};

/// A message that tells of an event.
pub fn event(kind: &str, payload: &[u8]) -> Bytes {
    message(&[(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")], payload)
}

/// A message that tells of an exception; nothing follows it.
pub fn exception(kind: &str, payload: &[u8]) -> Bytes {
    message(
        &[(":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception")],
        payload,
    )
}

/// A message with these headers. Names and values are short and our own.
fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    const STRING: u8 = 7;
    let mut head = Vec::with_capacity(96);
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        head.extend_from_slice(name.as_bytes());
        head.push(STRING);
        head.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    let total = 12 + head.len() + payload.len() + 4;
    let mut out = BytesMut::with_capacity(total);
    out.put_u32(u32::try_from(total).unwrap_or(u32::MAX));
    out.put_u32(u32::try_from(head.len()).unwrap_or(u32::MAX));
    let prelude = checksum(&out);
    out.put_u32(prelude);
    out.put_slice(&head);
    out.put_slice(payload);
    let whole = checksum(&out);
    out.put_u32(whole);
    out.freeze()
}

/// CRC-32 as zip and Ethernet have it.
pub fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| (sum >> 8) ^ TABLE[usize::from(sum as u8 ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut sum = at as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[at] = sum;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_well_known_one() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum(b""), 0);
    }

    #[test]
    fn a_message_says_how_long_it_and_its_headers_are() {
        let message = event("messageStop", b"{}");
        let number = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().unwrap());
        assert_eq!(number(0) as usize, message.len());
        assert_eq!(number(4) as usize, message.len() - 12 - 2 - 4);
        assert_eq!(number(8), checksum(&message[..8]));
        assert_eq!(number(message.len() - 4), checksum(&message[..message.len() - 4]));
    }
}
