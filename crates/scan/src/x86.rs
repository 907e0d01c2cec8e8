//! For processors that have 32 or 64 bytes at a time.

#![expect(unsafe_code, reason = "vectors are loaded through pointers")]

use std::{
    arch::x86_64::{
        __m128i, __m256i, __m512i, _mm_setr_epi8, _mm256_add_epi8, _mm256_and_si256, _mm256_broadcastsi128_si256,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16, _mm512_add_epi8,
        _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_cmpeq_epi8_mask, _mm512_cmplt_epu8_mask, _mm512_loadu_si512,
        _mm512_or_si512, _mm512_set1_epi8, _mm512_shuffle_epi8, _mm512_srli_epi16, _mm512_test_epi8_mask,
    },
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use crate::{
    BLOCK,
    numbers::{self, Classes, Rare},
    portable,
    string::{self, Bad, Escapes, Marks},
};

/// What the processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 16 bytes at a time.
    Plain = 1,
    /// 32
    Avx2 = 2,
    /// 64
    Avx512 = 3,
}

/// What this processor has. It is asked once.
#[inline]
pub(crate) fn kind() -> Kind {
    static KIND: AtomicU8 = AtomicU8::new(0);
    match KIND.load(Relaxed) {
        1 => Kind::Plain,
        2 => Kind::Avx2,
        3 => Kind::Avx512,
        _ => {
            let kind = ask();
            KIND.store(kind as u8, Relaxed);
            kind
        }
    }
}

#[cold]
fn ask() -> Kind {
    let bits = is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2");
    let counts = is_x86_feature_detected!("lzcnt") && is_x86_feature_detected!("popcnt");
    if !(bits && counts && is_x86_feature_detected!("avx2")) {
        Kind::Plain
    } else if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
        Kind::Avx512
    } else {
        Kind::Avx2
    }
}

/// By the lower half of a byte and by its upper half: a bit that both have says what it is. `"` and `/` have 1, `\` has
/// 2, `b`, `f`, `n` and `r`, `t`, `u` have 4 and 8; decimal digits have 16, the other hexadecimal ones 32.
const LOW: [i8; 16] =
    [16, 16 | 32, 16 | 32 | 1 | 4 | 8, 16 | 32, 16 | 32 | 8, 16 | 32 | 8, 16 | 32 | 4, 16, 16, 16, 0, 0, 2, 0, 4, 1];
const HIGH: [i8; 16] = [0, 0, 1, 16, 32, 2, 32 | 4, 8, 0, 0, 0, 0, 0, 0, 0, 0];
/// The bits of what may be escaped, and of hexadecimal digits.
const ESCAPABLE: i8 = 1 | 2 | 4 | 8;
const DIGIT: i8 = 16 | 32;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(crate) fn string_avx2(bytes: &[u8], at: usize) -> Result<(usize, bool), Bad> {
    string::find(bytes, at, |block| strings_avx2(block), |block| escapes_avx2(block))
        .map_or_else(|| portable::string(bytes, at), Ok)
}

#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(crate) fn string_avx512(bytes: &[u8], at: usize) -> Result<(usize, bool), Bad> {
    string::find(bytes, at, |block| strings_avx512(block), |block| escapes_avx512(block))
        .map_or_else(|| portable::string(bytes, at), Ok)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(crate) fn numbers_avx2(bytes: &[u8], start: usize) -> (usize, usize) {
    numbers::pass(bytes, start, |block| classes_avx2(block), |block| rare_avx2(block))
}

#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(crate) fn numbers_avx512(bytes: &[u8], start: usize) -> (usize, usize) {
    numbers::pass(bytes, start, |block| classes_avx512(block), |block| rare_avx512(block))
}

/// A block, in two halves.
#[target_feature(enable = "avx2")]
#[inline]
fn load_avx2(block: &[u8; BLOCK]) -> [__m256i; 2] {
    let (low, high) = block.split_at(BLOCK / 2);
    // SAFETY: each half is 32 bytes; an unaligned load asks for no more.
    unsafe { [_mm256_loadu_si256(low.as_ptr().cast()), _mm256_loadu_si256(high.as_ptr().cast())] }
}

/// Where a comparison was true.
#[target_feature(enable = "avx2")]
#[inline]
fn mask_avx2([low, high]: [__m256i; 2]) -> u64 {
    u64::from(_mm256_movemask_epi8(low) as u32) | u64::from(_mm256_movemask_epi8(high) as u32) << 32
}

#[target_feature(enable = "avx2")]
#[inline]
fn equal_avx2([low, high]: [__m256i; 2], byte: u8) -> u64 {
    let byte = _mm256_set1_epi8(byte as i8);
    mask_avx2([_mm256_cmpeq_epi8(low, byte), _mm256_cmpeq_epi8(high, byte)])
}

/// Where a byte is `most` at most.
#[target_feature(enable = "avx2")]
#[inline]
fn within_avx2([low, high]: [__m256i; 2], most: i8) -> u64 {
    let most = _mm256_set1_epi8(most);
    let within = |half| _mm256_cmpeq_epi8(_mm256_min_epu8(half, most), half);
    mask_avx2([within(low), within(high)])
}

#[target_feature(enable = "avx2")]
#[inline]
fn strings_avx2(block: &[u8; BLOCK]) -> Marks {
    let block = load_avx2(block);
    Marks { quote: equal_avx2(block, b'"'), backslash: equal_avx2(block, b'\\'), control: within_avx2(block, 0x1f) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn escapes_avx2(block: &[u8; BLOCK]) -> Escapes {
    let block = load_avx2(block);
    let table = |of: [i8; 16]| _mm256_broadcastsi128_si256(table(of));
    let (low, high, half) = (table(LOW), table(HIGH), _mm256_set1_epi8(0x0f));
    // A byte beyond ASCII finds nothing in the first table.
    let kind = |bytes| {
        let upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
        _mm256_and_si256(_mm256_shuffle_epi8(low, bytes), _mm256_shuffle_epi8(high, upper))
    };
    // Half by half: `map` is built for every processor, and what is built for this one would not be inlined into it.
    let kinds = [kind(block[0]), kind(block[1])];
    let without = |bits| {
        let bits = _mm256_set1_epi8(bits);
        let none = |kind| _mm256_cmpeq_epi8(_mm256_and_si256(kind, bits), _mm256_setzero_si256());
        mask_avx2([none(kinds[0]), none(kinds[1])])
    };
    Escapes { escapable: !without(ESCAPABLE), unicode: equal_avx2(block, b'u'), digit: !without(DIGIT) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn classes_avx2(block: &[u8; BLOCK]) -> Classes {
    let block = load_avx2(block);
    let above = |half| _mm256_add_epi8(half, _mm256_set1_epi8(-(b'0' as i8)));
    let digit = [above(block[0]), above(block[1])];
    Classes {
        digit: within_avx2(digit, 9),
        zero: equal_avx2(block, b'0'),
        comma: equal_avx2(block, b','),
        point: equal_avx2(block, b'.'),
        minus: equal_avx2(block, b'-'),
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn rare_avx2(block: &[u8; BLOCK]) -> Rare {
    let block = load_avx2(block);
    let lower = |half| _mm256_or_si256(half, _mm256_set1_epi8(0x20));
    let small = [lower(block[0]), lower(block[1])];
    Rare { exponent: equal_avx2(small, b'e'), plus: equal_avx2(block, b'+'), space: equal_avx2(block, b' ') }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_avx512(block: &[u8; BLOCK]) -> __m512i {
    // SAFETY: the array has the 64 bytes that an unaligned load asks for.
    unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn equal_avx512(block: __m512i, byte: u8) -> u64 {
    _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(byte as i8))
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn strings_avx512(block: &[u8; BLOCK]) -> Marks {
    let block = load_avx512(block);
    Marks {
        quote: equal_avx512(block, b'"'),
        backslash: equal_avx512(block, b'\\'),
        control: _mm512_cmplt_epu8_mask(block, _mm512_set1_epi8(0x20)),
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn escapes_avx512(block: &[u8; BLOCK]) -> Escapes {
    let block = load_avx512(block);
    let table = |of: [i8; 16]| _mm512_broadcast_i32x4(table(of));
    let upper = _mm512_and_si512(_mm512_srli_epi16(block, 4), _mm512_set1_epi8(0x0f));
    // A byte beyond ASCII finds nothing in the first table.
    let kind = _mm512_and_si512(_mm512_shuffle_epi8(table(LOW), block), _mm512_shuffle_epi8(table(HIGH), upper));
    Escapes {
        escapable: _mm512_test_epi8_mask(kind, _mm512_set1_epi8(ESCAPABLE)),
        unicode: equal_avx512(block, b'u'),
        digit: _mm512_test_epi8_mask(kind, _mm512_set1_epi8(DIGIT)),
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn classes_avx512(block: &[u8; BLOCK]) -> Classes {
    let block = load_avx512(block);
    let digit = _mm512_add_epi8(block, _mm512_set1_epi8(-(b'0' as i8)));
    Classes {
        digit: _mm512_cmplt_epu8_mask(digit, _mm512_set1_epi8(10)),
        zero: equal_avx512(block, b'0'),
        comma: equal_avx512(block, b','),
        point: equal_avx512(block, b'.'),
        minus: equal_avx512(block, b'-'),
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn rare_avx512(block: &[u8; BLOCK]) -> Rare {
    let block = load_avx512(block);
    let small = _mm512_or_si512(block, _mm512_set1_epi8(0x20));
    Rare { exponent: equal_avx512(small, b'e'), plus: equal_avx512(block, b'+'), space: equal_avx512(block, b' ') }
}

#[target_feature(enable = "avx2")]
#[inline]
fn table(of: [i8; 16]) -> __m128i {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = of;
    _mm_setr_epi8(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
}
