//! Pictures: grey PNGs whose rows repeat a card of 32 bytes, one byte a pixel, so that a test reads back what was drawn.

use super::hash;

/// What a picture is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card<'a> {
    /// Prompt, and a line for everything else that shapes the picture.
    pub(crate) description: &'a str,
    pub(crate) seed: u64,
    /// Which of several pictures.
    pub(crate) index: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Zero for the finished picture, else which sketch it is.
    pub(crate) step: u32,
}

impl Card<'_> {
    /// Hash of the description, seed, index, width, height, step: big-endian.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut card = hash(self.description.as_bytes()).to_be_bytes().to_vec();
        card.extend(self.seed.to_be_bytes());
        card.extend([self.index, self.width, self.height, self.step].iter().flat_map(|number| number.to_be_bytes()));
        card
    }

    /// The picture, its description in a `tEXt` chunk besides.
    pub(crate) fn draw(&self) -> Vec<u8> {
        let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut head = self.width.to_be_bytes().to_vec();
        head.extend(self.height.to_be_bytes());
        head.extend([8, 0, 0, 0, 0]);
        chunk(&mut out, *b"IHDR", &head);
        // The chunk is Latin-1 by its standard; UTF-8 in it is read by all that matter.
        chunk(&mut out, *b"tEXt", format!("Description\0{}", self.description).as_bytes());
        chunk(&mut out, *b"IDAT", &stored(&self.pixels()));
        chunk(&mut out, *b"IEND", &[]);
        out
    }

    fn pixels(&self) -> Vec<u8> {
        let width = self.width as usize;
        let card = self.bytes();
        let mut row = vec![0];
        row.extend(card.iter().cycle().take(width));
        row.repeat(self.height as usize)
    }
}

/// Width and height of a PNG.
pub(crate) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let head = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?.get(8..16)?;
    let (width, height) = head.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height.first_chunk()?)))
}

fn chunk(out: &mut Vec<u8>, name: [u8; 4], body: &[u8]) {
    out.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    let from = out.len();
    out.extend(name);
    out.extend_from_slice(body);
    let sum = crc(&out[from..]);
    out.extend(sum.to_be_bytes());
}

const TABLE: [u32; 256] = {
    let mut table = [0_u32; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
};

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

/// A zlib stream that compresses nothing.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(65_535).peekable();
    while let Some(block) = blocks.next() {
        out.push(u8::from(blocks.peek().is_none()));
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    let (mut one, mut two) = (1_u32, 0_u32);
    for run in bytes.chunks(5552) {
        for byte in run {
            one += u32::from(*byte);
            two += one;
        }
        (one, two) = (one % 65_521, two % 65_521);
    }
    out.extend((two << 16 | one).to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::{Card, crc, size, stored};

    #[test]
    fn sums_are_the_known_ones() {
        assert_eq!(crc(b"IEND"), 0xae42_6082);
        assert_eq!(stored(b"Wikipedia")[16..], 0x11e6_0398_u32.to_be_bytes()[..]);
    }

    #[test]
    fn a_picture_says_its_size_and_its_card() {
        let card = Card { description: "a cat", seed: u64::MAX, index: 2, width: 64, height: 3, step: 0 };
        let png = card.draw();
        assert_eq!(size(&png), Some((64, 3)));
        assert_eq!(png.windows(32).filter(|window| *window == card.bytes()).count(), 6, "twice in each row");
    }
}
