//! RIFF WAVE, and an MP3 that is silent: its text stands in the tag.

/// 16-bit mono samples as a WAV file.
pub(crate) fn write(samples: &[i16], rate: u32) -> Vec<u8> {
    let data = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(samples.len() * 2 + 44);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&data.saturating_add(36).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    out.extend_from_slice(&rate.to_le_bytes());
    out.extend_from_slice(&(rate * 2).to_le_bytes());
    out.extend_from_slice(b"\x02\0\x10\0data");
    out.extend_from_slice(&data.to_le_bytes());
    out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    out
}

/// The samples of a WAV file, its channels averaged, and their rate.
pub(crate) fn read(bytes: &[u8]) -> Option<(Vec<f32>, u32)> {
    let mut rest = bytes.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WAVE")?;
    let mut format = None;
    while let Some((name, after)) = rest.split_first_chunk::<4>() {
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let body = after.get(..length).unwrap_or(after);
        match name {
            b"fmt " => format = Some(body),
            b"data" => return samples(format?, body),
            _ => {}
        }
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
    None
}

fn samples(format: &[u8], data: &[u8]) -> Option<(Vec<f32>, u32)> {
    let number = |at: usize| format.get(at..at + 2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    let (kind, channels, bits) = (number(0)?, usize::from(number(2)?), number(14)?);
    let rate = u32::from(number(4)?) | u32::from(number(6)?) << 16;
    let one: fn(&[u8]) -> f32 = match (kind, bits) {
        (1 | 0xfffe, 16) => |two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0,
        (1 | 0xfffe, 24) => |three| f32::from(i16::from_le_bytes([three[1], three[2]])) / 32_768.0,
        (3, 32) => |four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]),
        _ => return None,
    };
    let frame = usize::from(bits / 8) * channels;
    if channels == 0 || frame == 0 {
        return None;
    }
    let mixed = |frame: &[u8]| frame.chunks_exact(usize::from(bits / 8)).map(one).sum::<f32>() / channels as f32;
    Some((data.chunks_exact(frame).map(mixed).collect(), rate))
}

/// Silent MPEG frames behind a tag with the text; as long as the text would sound.
pub(crate) fn mp3(text: &str) -> Vec<u8> {
    let mut frame = b"TXXX".to_vec();
    let body = [b"\x03spoken\0", text.as_bytes()].concat();
    frame.extend(u32::try_from(body.len()).unwrap_or(0).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(body);
    let size = frame.len();
    let seven = |shift: usize| u8::try_from(size >> shift & 0x7f).unwrap_or(0);
    let mut out = b"ID3\x03\0\0".to_vec();
    out.extend([seven(21), seven(14), seven(7), seven(0)]);
    out.extend(frame);
    // 128 kbit/s at 44.1 kHz: 417 bytes, 26 ms; all zero behind the head is silence.
    for _ in 0..(text.len() + 2) * 40 / 26 + 1 {
        out.extend([0xff, 0xfb, 0x90, 0xc4]);
        out.extend([0; 413]);
    }
    out
}

/// The text of such an MP3.
pub(crate) fn mp3_text(bytes: &[u8]) -> Option<String> {
    let rest = bytes.strip_prefix(b"ID3\x03\0\0")?.get(4..)?.strip_prefix(b"TXXX")?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let text = rest.get(2..2 + length)?.strip_prefix(b"\x03spoken\0")?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::{mp3, mp3_text, read, write};

    #[test]
    fn samples_come_back() {
        let (samples, rate) = read(&write(&[0, 16_384, -32_768], 8000)).unwrap();
        assert_eq!((samples.as_slice(), rate), ([0.0, 0.5, -1.0].as_slice(), 8000));
        assert_eq!(read(b"RIFF\0\0\0\0WAVEdata"), None);
    }

    #[test]
    fn the_text_of_a_silent_mp3_comes_back() {
        assert_eq!(mp3_text(&mp3("hello")).as_deref(), Some("hello"));
        assert_eq!(mp3_text(b"ID3\x03\0\0\0\0\0\0TXXX\xff\xff\xff\xff"), None);
    }
}
