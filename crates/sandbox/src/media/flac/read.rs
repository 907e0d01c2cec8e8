//! The reader: streaminfo, then frame after frame until one is damaged.

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | self.bit()?))
    }

    fn signed(&mut self, count: u32) -> Option<i32> {
        if count == 0 || count > 32 {
            return None;
        }
        let shift = 32 - count;
        Some((self.take(count)? << shift).cast_signed() >> shift)
    }

    fn zeros(&mut self) -> Option<u32> {
        let mut count = 0;
        while self.bit()? == 0 {
            count += 1;
        }
        Some(count)
    }

    fn align(&mut self) {
        self.at = self.at.div_ceil(8) * 8;
    }
}

struct Info {
    rate: u32,
    depth: u32,
}

/// The samples of a FLAC file, its channels averaged, and their rate.
pub(crate) fn read(bytes: &[u8]) -> Option<(Vec<f32>, u32)> {
    let mut rest = bytes.strip_prefix(b"fLaC")?;
    let mut info = None;
    loop {
        let (head, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes([0, head[1], head[2], head[3]])).ok()?;
        let body = after.get(..length)?;
        if head[0] & 0x7f == 0 {
            let mut bits = Bits { bytes: body, at: 80 };
            let rate = bits.take(20)?;
            bits.take(3)?;
            info = Some(Info { rate, depth: bits.take(5)? + 1 });
        }
        rest = after.get(length..)?;
        if head[0] & 0x80 != 0 {
            break;
        }
    }
    let info = info.filter(|info| info.rate > 0)?;
    let mut samples = Vec::new();
    let mut bits = Bits { bytes: rest, at: 0 };
    while let Some(block) = frame(&mut bits, &info) {
        samples.extend(block);
    }
    Some((samples, info.rate))
}

fn frame(bits: &mut Bits<'_>, info: &Info) -> Option<Vec<f32>> {
    if bits.take(15)? != 0x7ffc {
        return None;
    }
    bits.take(1)?;
    let (size, rate) = (bits.take(4)?, bits.take(4)?);
    let (assignment, depth) = (bits.take(4)?, bits.take(3)?);
    bits.take(1)?;
    let ones = (!bits.take(8)?.to_le_bytes()[0]).leading_zeros();
    bits.take(8 * ones.saturating_sub(1))?;
    let size = match size {
        1 => 192,
        2..=5 => 576 << (size - 2),
        6 => bits.take(8)? + 1,
        7 => bits.take(16)? + 1,
        8..=15 => 256 << (size - 8),
        _ => return None,
    };
    bits.take(match rate {
        12 => 8,
        13 | 14 => 16,
        _ => 0,
    })?;
    bits.take(8)?;
    let depth = match depth {
        0 => info.depth,
        1 => 8,
        2 => 12,
        4 => 16,
        5 => 20,
        6 => 24,
        _ => return None,
    };
    let channels = if assignment < 8 { assignment + 1 } else { 2 };
    let mut all = Vec::new();
    for channel in 0..channels {
        let side = matches!((assignment, channel), (8 | 10, 1) | (9, 0));
        all.push(subframe(bits, size as usize, depth + u32::from(side))?);
    }
    bits.align();
    bits.take(16)?;
    Some(mixed(&all, assignment, depth))
}

/// The channels put back together and averaged; the average of a middle is the middle.
fn mixed(all: &[Vec<i32>], assignment: u32, depth: u32) -> Vec<f32> {
    let scale = (1_u32 << (depth - 1)) as f32;
    let one = |at: usize| match (assignment, all) {
        (8, [left, side]) => left[at] as f32 - side[at] as f32 / 2.0,
        (9, [side, right]) => right[at] as f32 + side[at] as f32 / 2.0,
        (10, [middle, _]) => middle[at] as f32,
        _ => all.iter().map(|channel| channel[at] as f32).sum::<f32>() / all.len() as f32,
    };
    (0..all.first().map_or(0, Vec::len)).map(|at| one(at) / scale).collect()
}

fn subframe(bits: &mut Bits<'_>, size: usize, depth: u32) -> Option<Vec<i32>> {
    bits.take(1)?;
    let kind = bits.take(6)?;
    let wasted = if bits.bit()? == 1 { bits.zeros()? + 1 } else { 0 };
    let depth = depth.checked_sub(wasted)?;
    let mut samples = match kind {
        0 => vec![bits.signed(depth)?; size],
        1 => (0..size).map(|_| bits.signed(depth)).collect::<Option<Vec<_>>>()?,
        8..=12 => {
            let factors: &[i32] = [&[][..], &[1], &[2, -1], &[3, -3, 1], &[4, -6, 4, -1]].get(kind as usize - 8)?;
            let warm = warm(bits, factors.len(), depth)?;
            predicted(bits, size, warm, factors, 0)?
        }
        32..=63 => {
            let warm = warm(bits, kind as usize - 31, depth)?;
            let precision = bits.take(4)? + 1;
            let shift = u32::try_from(bits.signed(5)?).ok()?;
            let factors = (0..warm.len()).map(|_| bits.signed(precision)).collect::<Option<Vec<_>>>()?;
            predicted(bits, size, warm, &factors, shift)?
        }
        _ => return None,
    };
    for sample in &mut samples {
        *sample = sample.checked_shl(wasted)?;
    }
    Some(samples)
}

fn warm(bits: &mut Bits<'_>, order: usize, depth: u32) -> Option<Vec<i32>> {
    (0..order).map(|_| bits.signed(depth)).collect()
}

fn predicted(bits: &mut Bits<'_>, size: usize, warm: Vec<i32>, factors: &[i32], shift: u32) -> Option<Vec<i32>> {
    let rest = residual(bits, size, warm.len())?;
    let mut samples = warm;
    for error in rest {
        let sum: i64 = factors.iter().zip(samples.iter().rev()).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum();
        samples.push(i32::try_from((sum >> shift) + i64::from(error)).ok()?);
    }
    Some(samples)
}

fn residual(bits: &mut Bits<'_>, size: usize, order: usize) -> Option<Vec<i32>> {
    let (wide, escape) = match bits.take(2)? {
        0 => (4, 15),
        1 => (5, 31),
        _ => return None,
    };
    let parts = 1_usize << bits.take(4)?;
    let mut all = Vec::new();
    for part in 0..parts {
        let count = (size / parts).checked_sub(if part == 0 { order } else { 0 })?;
        let rice = bits.take(wide)?;
        let raw = if rice == escape { Some(bits.take(5)?) } else { None };
        for _ in 0..count {
            all.push(match raw {
                Some(0) => 0,
                Some(depth) => bits.signed(depth)?,
                None => {
                    let high = bits.zeros()?;
                    let value = high.checked_shl(rice)? | bits.take(rice)?;
                    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
                }
            });
        }
    }
    Some(all)
}
