//! A whole form in memory: its fields in order. Files stay slices of what came in where they came in one piece.

use bytes::{Bytes, BytesMut};
use types::{Fault, Kind, Result, ask::Upload};

use super::{Event, Head, Limits, Parser, boundary};

/// The fields of a form, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// The fields.
    pub fields: Vec<Field>,
    part: Option<Part>,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub content: Content,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text(String),
    /// A file.
    File(Upload),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    head: Head,
    first: Bytes,
    rest: BytesMut,
}

impl Form {
    /// A form without fields, to be filled by [`Form::take`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a whole body.
    ///
    /// # Errors
    /// `UnsupportedMediaType` when the content type is no form's, `BadRequest` when the body is no good form.
    pub fn read(content_type: &str, body: Bytes, limits: Limits) -> Result<Self> {
        let mut parser = Parser::new(&boundary(content_type)?, limits);
        let mut form = Self::new();
        let mut taken = Ok(());
        parser.push(body, &mut |event| {
            if taken.is_ok() {
                taken = form.take(event);
            }
        })?;
        taken?;
        parser.finish()?;
        Ok(form)
    }

    /// Takes the parser's next event.
    ///
    /// # Errors
    /// `BadRequest` when a text is not UTF-8.
    pub fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::PartBegin(head) => self.part = Some(Part { head, first: Bytes::new(), rest: BytesMut::new() }),
            Event::Data(data) => {
                if let Some(part) = &mut self.part {
                    part.add(data);
                }
            }
            Event::PartEnd => {
                if let Some(part) = self.part.take() {
                    self.fields.push(part.field()?);
                }
            }
            Event::End => {}
        }
        Ok(())
    }
}

impl Part {
    fn add(&mut self, data: Bytes) {
        if !self.rest.is_empty() {
            self.rest.extend_from_slice(&data);
        } else if self.first.is_empty() {
            self.first = data;
        } else {
            self.rest.extend_from_slice(&self.first);
            self.rest.extend_from_slice(&data);
        }
    }

    fn field(self) -> Result<Field> {
        let bytes = if self.rest.is_empty() { self.first } else { self.rest.freeze() };
        let Head { name, file_name, content_type } = self.head.clone();
        let content = if self.head.is_file() {
            Content::File(Upload { bytes, file_name, claimed_type: content_type })
        } else {
            let text = String::from_utf8(bytes.to_vec()).map_err(|_| {
                let message =
                    format!("`{name}` is neither text in UTF-8 nor a file; give a file a name (`filename=\"…\"`).");
                Fault::new(Kind::BadRequest, message).param(name.clone())
            })?;
            Content::Text(text)
        };
        Ok(Field { name, content })
    }
}
