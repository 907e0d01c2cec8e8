//! Sound, pictures and vectors that decode, are the same for the same input, and differ for another.

pub(crate) mod flac;
pub(crate) mod hear;
pub(crate) mod png;
pub(crate) mod sniff;
pub(crate) mod tones;
pub(crate) mod vectors;
pub(crate) mod wav;

/// 64-bit FNV-1a.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The same in sixteen hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    format!("{:016x}", hash(bytes))
}

/// `SplitMix64`: the number that belongs to a state.
pub(crate) fn mixed(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
