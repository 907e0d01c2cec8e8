//! FLAC: written with verbatim frames, read with all that the format has but for other than whole bits of depth up to 24.

mod read;

pub(crate) use read::read;

const BLOCK: usize = 4096;

/// 16-bit mono samples at 16 kHz as a FLAC file.
pub(crate) fn write(samples: &[i16]) -> Vec<u8> {
    let mut out = b"fLaC\x80\0\0\x22".to_vec();
    out.extend([0x10, 0, 0x10, 0]);
    out.extend([0; 6]);
    // 20 bits rate (16000), 3 bits channels - 1, 5 bits depth - 1, 36 bits count.
    let facts = 16_000_u64 << 44 | 15 << 36 | samples.len() as u64;
    out.extend(facts.to_be_bytes());
    out.extend([0; 16]);
    for (number, block) in samples.chunks(BLOCK).enumerate() {
        frame(&mut out, number, block);
    }
    out
}

fn frame(out: &mut Vec<u8>, number: usize, block: &[i16]) {
    let from = out.len();
    out.extend([0xff, 0xf8, 0x75, 0x08]);
    let number = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or('\0');
    // The frame number is coded as UTF-8 codes a character.
    out.extend_from_slice(number.encode_utf8(&mut [0; 4]).as_bytes());
    out.extend(u16::try_from(block.len().saturating_sub(1)).unwrap_or(u16::MAX).to_be_bytes());
    let sum = crc8(&out[from..]);
    out.push(sum);
    out.push(0x02);
    out.extend(block.iter().flat_map(|sample| sample.to_be_bytes()));
    let sum = crc16(&out[from..]);
    out.extend(sum.to_be_bytes());
}

fn crc8(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |crc, byte| (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 }))
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x8005 })
    })
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn samples_come_back() {
        let samples: Vec<i16> = (0..10_000).map(|at| ((at * 7919) % 65_536 - 32_768) as i16).collect();
        let (back, rate) = read(&write(&samples)).unwrap();
        assert_eq!(rate, 16_000);
        let expected: Vec<f32> = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        assert_eq!(back, expected);
    }

    #[test]
    fn damaged_files_are_not_read_and_do_no_harm() {
        let good = write(&[1, 2, 3, 4, 5]);
        for end in 0..good.len() {
            let _read = read(&good[..end]);
        }
        assert_eq!(read(b"fLaC"), None);
    }
}
