//! Tools, the choice among them, and the format of the answer.

use super::{Scan, Scanned, duplicate, wrong_type};
use crate::json::{Kind, Slot, Span, Str};

/// A tool that is no plain function.
#[derive(Clone, Debug)]
pub(in super::super) struct OddTool {
    /// Where it stands among the tools.
    pub slot: Slot,
    /// What it is.
    pub kind: ToolKind,
}

/// What an odd tool is.
#[derive(Clone, Debug)]
pub(in super::super) enum ToolKind {
    /// A tool that takes free text: the spans of its name's and description's values.
    Custom { name: Option<Span>, description: Option<Span> },
    /// A tool that the vendor runs; its type.
    Hosted(String),
}

/// What `tool_choice` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Choice {
    /// Nothing, or something that needs no change.
    #[default]
    Any,
    /// `required`: some tool must be called.
    Required,
    /// This custom tool (the span of its name's value).
    Custom { value: Span, name: Span },
    /// A vendor's hosted tool, or a choice that only OpenAI has (`allowed_tools`); its type.
    Vendor(String),
}

/// What `response_format` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Format {
    /// Nothing, or something that is alike everywhere.
    #[default]
    Plain,
    /// A JSON schema in OpenAI's spelling.
    Schema {
        /// The whole value of `response_format`.
        whole: Span,
        /// The schema.
        schema: Span,
        /// The value of `strict`, if given.
        strict: Option<Span>,
        /// Just inside of `json_schema`.
        inside: usize,
    },
}

impl Scan<'_> {
    pub(super) fn tools(&mut self) -> Scanned {
        self.reader.open_array()?;
        let mut slot = Slot::default();
        let mut noted = false;
        while self.reader.next_item()? {
            let kind = self.reader.peek()?;
            slot.whole.start = self.reader.at();
            if kind != Kind::Object {
                return Err(wrong_type(&format!("tools[{}]", slot.ordinal), "an object", kind).into());
            }
            if let (true, Some(odd)) = (noted, self.facts.odd_tools.last_mut()) {
                odd.slot.next = Some(slot.whole.start);
            }
            if slot.ordinal == 0 {
                slot.before = slot.whole.start;
            }
            let odd = self.tool(slot.ordinal)?;
            slot.whole.end = self.reader.at();
            noted = odd.is_some();
            if let Some(kind) = odd {
                self.facts.odd_tools.push(OddTool { slot, kind });
            }
            slot.before = slot.whole.end;
            slot.ordinal += 1;
        }
        self.facts.tools = slot.ordinal;
        Ok(())
    }

    fn tool(&mut self, index: usize) -> Scanned<Option<ToolKind>> {
        let (mut kind, mut name, mut description) = (None, None, None);
        self.reader.open_object()?;
        while let Some(key) = self.reader.next_key()? {
            let what = self.reader.peek()?;
            match (&*key.raw(self.reader.bytes()), what) {
                (b"type", Kind::String) => {
                    let text = self.reader.string()?;
                    if kind.replace(text).is_some() {
                        return Err(duplicate(&format!("tools[{index}].type")).into());
                    }
                }
                (b"custom", Kind::Object) => (name, description) = self.named()?,
                _ => {
                    self.reader.skip()?;
                }
            }
        }
        Ok(kind.and_then(|kind| match &*kind.decode(self.reader.bytes()) {
            "function" => None,
            "custom" => Some(ToolKind::Custom { name, description }),
            hosted => Some(ToolKind::Hosted(hosted.to_owned())),
        }))
    }

    /// The values of `name` and `description` of the object that comes next.
    fn named(&mut self) -> Scanned<(Option<Span>, Option<Span>)> {
        let (mut name, mut description) = (None, None);
        self.reader.open_object()?;
        while let Some(key) = self.reader.next_key()? {
            let kind = self.reader.peek()?;
            let value = self.reader.skip()?;
            match (&*key.raw(self.reader.bytes()), kind) {
                (b"name", Kind::String) => name = Some(value),
                (b"description", Kind::String) => description = Some(value),
                _ => {}
            }
        }
        Ok((name, description))
    }

    pub(super) fn tool_choice(&mut self, kind: Kind) -> Scanned {
        match kind {
            Kind::String => {
                if self.reader.string()?.is(self.reader.bytes(), "required") {
                    self.facts.choice = Choice::Required;
                }
                return Ok(());
            }
            Kind::Object => {}
            _ => return Err(wrong_type("tool_choice", "a string or an object", kind).into()),
        }
        let (mut kind, mut custom): (Option<Str>, _) = (None, None);
        let mut whole = Span::new(self.reader.at(), 0);
        self.reader.open_object()?;
        while let Some(key) = self.reader.next_key()? {
            let what = self.reader.peek()?;
            match (&*key.raw(self.reader.bytes()), what) {
                (b"type", Kind::String) => {
                    if kind.replace(self.reader.string()?).is_some() {
                        return Err(duplicate("tool_choice.type").into());
                    }
                }
                (b"custom", Kind::Object) => custom = self.named()?.0,
                _ => {
                    self.reader.skip()?;
                }
            }
        }
        whole.end = self.reader.at();
        let Some(kind) = kind else { return Ok(()) };
        self.facts.choice = match (&*kind.decode(self.reader.bytes()), custom) {
            ("function", _) => Choice::Any,
            ("custom", Some(name)) => Choice::Custom { value: whole, name },
            (vendor, _) => Choice::Vendor(vendor.to_owned()),
        };
        Ok(())
    }

    pub(super) fn response_format(&mut self) -> Scanned {
        let (mut kind, mut schema, mut strict, mut inside): (Option<Str>, _, _, _) = (None, None, None, 0);
        let mut whole = Span::new(self.reader.at(), 0);
        self.reader.open_object()?;
        while let Some(key) = self.reader.next_key()? {
            let what = self.reader.peek()?;
            match (&*key.raw(self.reader.bytes()), what) {
                (b"type", Kind::String) => {
                    if kind.replace(self.reader.string()?).is_some() {
                        return Err(duplicate("response_format.type").into());
                    }
                }
                (b"json_schema", Kind::Object) => {
                    if inside != 0 {
                        return Err(duplicate("response_format.json_schema").into());
                    }
                    self.reader.open_object()?;
                    inside = self.reader.at();
                    while let Some(key) = self.reader.next_key()? {
                        let value = self.reader.skip()?;
                        match &*key.raw(self.reader.bytes()) {
                            b"schema" if schema.replace(value).is_some() => {
                                return Err(duplicate("response_format.json_schema.schema").into());
                            }
                            b"strict" if strict.replace(value).is_some() => {
                                return Err(duplicate("response_format.json_schema.strict").into());
                            }
                            _ => {}
                        }
                    }
                }
                _ => {
                    self.reader.skip()?;
                }
            }
        }
        whole.end = self.reader.at();
        if let (Some(kind), Some(schema)) = (kind, schema)
            && kind.is(self.reader.bytes(), "json_schema")
        {
            self.facts.format = Format::Schema { whole, schema, strict, inside };
        }
        Ok(())
    }
}
