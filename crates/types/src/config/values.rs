//! Values that have a notation of their own: times, sizes and references to secrets.

use std::{borrow::Cow, fmt, path::PathBuf, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is not such a value. It never repeats the text, which may be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(pub String);

/// A length of time, written as a whole number and a unit: `250ms`, `30s`, `10m`, `1h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

impl Period {
    const UNITS: &'static [(&'static str, u64)] =
        &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

    /// A period of this many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A period of this many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The period as the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Period {
    fn from(time: Duration) -> Self {
        Self(time)
    }
}

impl FromStr for Period {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || BadValue("expected a time such as \"250ms\", \"30s\", \"10m\", \"1h\" or \"7d\"".to_owned());
        let (number, unit) = split_number(text).ok_or_else(bad)?;
        let &(_, scale) = Self::UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        let millis = number.checked_mul(scale).ok_or_else(|| BadValue("this time is too long to count".to_owned()))?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        // Days read worse than hours for everything below two of them.
        let unit = Self::UNITS.iter().find(|(name, scale)| {
            let scale = u128::from(*scale);
            millis != 0 && millis.is_multiple_of(scale) && (*name != "d" || millis >= 2 * scale)
        });
        match unit {
            Some((name, scale)) => write!(f, "{}{name}", millis / u128::from(*scale)),
            None => f.write_str("0s"),
        }
    }
}

/// A number of bytes: a whole number, or a text with a unit: `"64KiB"`, `"32MiB"`, `"2MB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    const UNITS: &'static [(&'static str, u64)] = &[
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1000),
        ("KB", 1000),
        ("B", 1),
    ];

    /// A size of this many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size of this many binary megabytes.
    pub const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || {
            BadValue(
                "expected a number of bytes or a size such as \"64KiB\", \"32MiB\" or \"2MB\" (KiB, MiB and GiB count by 1024; kB, MB and GB by 1000)"
                    .to_owned(),
            )
        };
        let (number, unit) = split_number(text).ok_or_else(bad)?;
        let scale = match unit {
            "" => 1,
            unit => Self::UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?.1,
        };
        number.checked_mul(scale).map(Self).ok_or_else(|| BadValue("this size is too large to count".to_owned()))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = Self::UNITS.iter().take(3).find(|(_, scale)| self.0 != 0 && self.0.is_multiple_of(*scale));
        match binary {
            Some((name, scale)) => write!(f, "{}{name}", self.0 / scale),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// An amount of money in dollars, written as a text: `"0.05"`, `"2"`. Up to six digits stand after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dollars(u64);

impl Dollars {
    /// The amount in micro-dollars.
    pub const fn micros(self) -> u64 {
        self.0
    }
}

impl FromStr for Dollars {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || {
            BadValue(
                "expected dollars as a text such as \"0.05\" or \"2\", with up to six digits after the point"
                    .to_owned(),
            )
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        if !digits(whole) || !digits(part) || part.len() > 6 {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let micros: u64 = format!("{part:0<6}").parse().map_err(|_| bad())?;
        whole.checked_mul(1_000_000).and_then(|whole| whole.checked_add(micros)).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Splits `"30 s"` or `"30s"` into number and unit. Only digits, no sign, no fraction.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

/// Where a secret is to be found; never the secret itself: `env:NAME` or `file:PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretRef {
    /// The value of this environment variable.
    Env(String),
    /// The text of this file, without the line end.
    File(PathBuf),
}

impl FromStr for SecretRef {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if let Some(name) = text.strip_prefix("env:") {
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if name.is_empty() || !plain || name.as_bytes()[0].is_ascii_digit() {
                return Err(BadValue(
                    "after \"env:\" comes the name of an environment variable (letters, digits and underscores), as in \"env:HF_TOKEN\"".to_owned(),
                ));
            }
            return Ok(Self::Env(name.to_owned()));
        }
        match text.strip_prefix("file:") {
            Some("") => Err(BadValue("after \"file:\" comes a path, as in \"file:/run/secrets/hf_token\"".to_owned())),
            Some(path) if path.contains('\0') => Err(BadValue("a path holds no NUL character".to_owned())),
            Some(path) => Ok(Self::File(PathBuf::from(path))),
            None => Err(BadValue(
                "a secret is never written here itself: put it into an environment variable and write \"env:NAME\", or into a file and write \"file:PATH\"".to_owned(),
            )),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl de::Visitor<'_> for NumberOrText {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes or a size such as \"32MiB\"")
            }
            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }
            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes).map(Size).map_err(|_| E::custom("a size is not negative"))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+ ?(ms|s|m|h|d)$", "description": "A time: 250ms, 30s, 10m, 1h, 7d." })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": "^[0-9]+ ?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$",
            "description": "A number of bytes, or a size: 64KiB, 32MiB, 2MB."
        })
    }
}

impl JsonSchema for Dollars {
    fn schema_name() -> Cow<'static, str> {
        "Dollars".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,6})?$", "description": "Dollars: 0.05, 2." })
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$",
            "description": "Where a secret is: env:NAME or file:PATH. Never the secret itself."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (text, seconds) in [("600s", 600), ("2m", 120), ("1h", 3600), ("7d", 604_800), ("30 s", 30), ("0s", 0)] {
            assert_eq!(text.parse::<Period>().unwrap(), Period::seconds(seconds), "{text}");
        }
        assert_eq!("250ms".parse::<Period>().unwrap().get(), Duration::from_millis(250));
        for bad in [
            "",
            "s",
            "10",
            "-1s",
            "1.5s",
            "1e3s",
            "10 parsecs",
            "1h30m",
            "99999999999999999999s",
            "184467440737095517d",
        ] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_counts_binary_or_decimal() {
        for (text, bytes) in
            [("2MiB", 2_097_152), ("2MB", 2_000_000), ("512", 512), ("64 KiB", 65_536), ("1GiB", 1 << 30)]
        {
            assert_eq!(text.parse::<Size>().unwrap().get(), bytes, "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5MiB", "2Mb", "2mib", "99999999999GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_written_as_they_are_read() {
        for text in ["250ms", "1s", "90s", "2m", "24h", "7d", "0s"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in ["1B", "1000B", "64KiB", "32MiB", "3GiB", "0B"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        for text in ["0.05", "2", "0.000001", "10", "0"] {
            assert_eq!(text.parse::<Dollars>().unwrap().to_string(), text);
        }
        for bad in ["", ".", "1.", ".5", "-1", "1e3", "0.0000001", "$1", "99999999999999999999"] {
            assert!(bad.parse::<Dollars>().is_err(), "{bad}");
        }
        for text in ["env:HF_TOKEN", "file:/run/secrets/key"] {
            assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_literal_secret_is_refused_without_being_repeated() {
        for secret in ["hf_abcdef", "env:hf abc", "env:", "file:", "literal:hf_abcdef", "env:1A"] {
            let error = secret.parse::<SecretRef>().unwrap_err().to_string();
            assert!(!error.contains("abc"), "{error}");
            assert!(error.contains("env:") || error.contains("file:"), "{error}");
        }
    }
}
