//! Reading usage and other numbers, however a backend writes them.

use types::Usage;

use crate::json::{self, Kind, Reader, names};

names!(Name {
    PromptTokens = b"prompt_tokens",
    CompletionTokens = b"completion_tokens",
    PromptDetails = b"prompt_tokens_details",
    CompletionDetails = b"completion_tokens_details",
});

/// A whole number that is not negative; `12.0` and `1e3` are whole.
pub(in crate::openai) fn whole(text: &str) -> Option<u64> {
    if let Ok(number) = text.parse::<u64>() {
        return Some(number);
    }
    let number = text.parse::<f64>().ok()?;
    // Casting saturates: a huge number stays huge.
    (number >= 0.0 && number.fract() == 0.0).then_some(number as u64)
}

/// Takes the usage object that comes next. Nulls, negative numbers and other nonsense count as zero.
///
/// # Errors
/// When it is no object, or malformed.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Usage, json::Error> {
    let mut usage = Usage::default();
    reader.open_object()?;
    while let Some(name) = reader.next_key()? {
        match Name::of(&name, reader.bytes()) {
            Name::PromptTokens => usage.input = count(reader)?,
            Name::CompletionTokens => usage.output = count(reader)?,
            Name::PromptDetails => usage.cached_input = detail(reader, "cached_tokens")?,
            Name::CompletionDetails => usage.reasoning = detail(reader, "reasoning_tokens")?,
            _ => {
                reader.skip()?;
            }
        }
    }
    Ok(usage)
}

fn count(reader: &mut Reader<'_>) -> Result<u64, json::Error> {
    Ok(number(reader)?.unwrap_or(0))
}

/// Takes a value; gives it if it is a whole number that is not negative.
pub(super) fn number(reader: &mut Reader<'_>) -> Result<Option<u64>, json::Error> {
    if let Some(number) = reader.plain_number() {
        return Ok(Some(number));
    }
    let raw = reader.skip()?.of(reader.bytes());
    Ok(std::str::from_utf8(raw).ok().and_then(whole))
}

fn detail(reader: &mut Reader<'_>, wanted: &str) -> Result<u64, json::Error> {
    let mut found = 0;
    if reader.peek()? != Kind::Object {
        reader.skip()?;
        return Ok(found);
    }
    reader.open_object()?;
    while let Some(name) = reader.next_key()? {
        if name.is(reader.bytes(), wanted) {
            found = count(reader)?;
        } else {
            reader.skip()?;
        }
    }
    Ok(found)
}
