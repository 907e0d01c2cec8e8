//! Embeddings: vectors made of nothing but the text.

use super::{hash, mixed};

/// Number `i` is `(mixed(hash(text) + i) >> 11) / 2^52 - 1`, so between -1 and 1; then, if asked, all are divided by the length.
pub(crate) fn vector(text: &str, size: usize, normal: bool) -> Vec<f32> {
    let seed = hash(text.as_bytes());
    let numbers = (0..size as u64).map(|at| {
        let part = (mixed(seed.wrapping_add(at)) >> 11) as f64;
        part / 4_503_599_627_370_496.0 - 1.0
    });
    let all: Vec<f64> = numbers.collect();
    let length = if normal { all.iter().map(|one| one * one).sum::<f64>().sqrt().max(1e-9) } else { 1.0 };
    all.into_iter().map(|one| (one / length) as f32).collect()
}

/// As JSON.
pub(crate) fn json(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(|one| format!("{one:?}")).collect();
    format!("[{}]", numbers.join(","))
}

/// As the little-endian bytes that `encoding_format: base64` wants.
pub(crate) fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|one| one.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::vector;

    #[test]
    fn vectors_have_length_one_and_differ() {
        let one = vector("hello", 384, true);
        assert!((one.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        assert_ne!(one, vector("hello!", 384, true));
        assert_eq!(one, vector("hello", 384, true));
    }
}
