//! What an embeddings server understands, as data.

use crate::openai::chat::dialect::ADVISORY;

/// One server's dialect. Start from one of the constants and name the differences:
///
/// ```
/// use wire::openai::embeddings::Dialect;
/// const SMALL: Dialect = Dialect { max_inputs: Some(32), refuse: &["dimensions"], ..Dialect::COMPATIBLE };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// How its body is laid out.
    pub shape: Shape,
    /// Which encodings it can be asked for.
    pub formats: Formats,
    /// Whether it takes token arrays.
    pub tokens: bool,
    /// Advisory members that it would refuse: taken out and named.
    pub drop: &'static [&'static str],
    /// Members that change the answer and that it cannot honour: the call is refused, or, if the caller is lenient,
    /// they are taken out and named.
    pub refuse: &'static [&'static str],
    /// Most inputs of one call; larger batches are split.
    pub max_inputs: Option<usize>,
}

impl Dialect {
    /// OpenAI's own service.
    pub const OPENAI: Self = Self {
        shape: Shape::Openai,
        formats: Formats::FloatAndBase64,
        tokens: true,
        drop: &[],
        refuse: &[],
        max_inputs: Some(2048),
    };

    /// A server that speaks OpenAI's protocol, of which base64 and token arrays are not expected.
    ///
    /// It is not told `encoding_format` at all: floats are the default everywhere.
    pub const COMPATIBLE: Self = Self {
        shape: Shape::Openai,
        formats: Formats::Unspoken,
        tokens: false,
        drop: ADVISORY,
        refuse: &[],
        max_inputs: None,
    };

    /// Hugging Face's feature extraction: `inputs` with the parameters beside it, bare arrays as answers.
    ///
    /// `dimensions` is refused: what comes back has the length that the model has.
    pub const HF_INFERENCE: Self = Self { shape: Shape::Inputs, refuse: &["dimensions"], ..Self::COMPATIBLE };

    /// The native `/embed` of text-embeddings-inference: as above, and it takes tokens and `dimensions`. A batch holds
    /// 32 inputs unless its operator says otherwise.
    pub const TEI: Self = Self { shape: Shape::Inputs, tokens: true, max_inputs: Some(32), ..Self::COMPATIBLE };
}

/// How a server's body is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{model, input, …}`
    Openai,
    /// `{inputs, …}`; the path names the model.
    Inputs,
}

/// Which encodings a server can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formats {
    /// `encoding_format` goes as it came.
    FloatAndBase64,
    /// `encoding_format` is never sent.
    Unspoken,
}
