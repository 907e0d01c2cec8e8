//! Random numbers of a seed, and fixed places for calls that belong together.

use crate::health::Lane;

/// A small generator (SplitMix64): good enough to choose by, the same on every machine.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// From 0 to below 1.
    pub(super) fn unit(&mut self) -> f64 {
        unit(self.next())
    }

    /// Whether the first of two is taken: softly, the nearer their costs, the more often it is the dearer one.
    pub(super) fn prefers(&mut self, cost: f64, other: f64, sharpness: u32) -> bool {
        // Costs are brought near one, so that their powers stay in range.
        let (x, y) = (cost / (cost + other), other / (cost + other));
        let (x, y) = (power(x, sharpness), power(y, sharpness));
        self.unit() < y / (x + y)
    }
}

/// By multiplications only, which every machine computes alike.
pub(super) fn power(of: f64, exponent: u32) -> f64 {
    (0..exponent).fold(1.0, |power, _| power * of)
}

const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// The number of a text (FNV-1a): calls with the same text belong together.
pub fn sticky(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mixed(text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// How much this lane's target draws calls of this number: the highest of all gets them. When a target goes away, only
/// its own calls move.
pub(super) fn place(number: u64, lane: &Lane, weight: f64) -> f64 {
    let own = unit(mixed(number ^ sticky(lane.place.as_str()) ^ sticky(&lane.model).rotate_left(32)));
    // As with -weight / ln(x), but of divisions only: the order among equal weights is the same.
    weight * own / (1.0 - own).max(f64::MIN_POSITIVE)
}

/// The same among the keys of one target.
pub(super) fn key_place(number: u64, lane: &Lane) -> u64 {
    mixed(number ^ sticky(lane.key.as_deref().unwrap_or_default()))
}

/// A number below 100 for rules that choose a share of calls; the same text always has the same one.
pub(crate) fn percent(number: u64) -> f64 {
    unit(mixed(number)) * 100.0
}
