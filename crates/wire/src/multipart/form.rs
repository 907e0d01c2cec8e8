//! A whole form: its fields in order. Where the bytes of its files are kept is up to whoever reads it.

use bytes::{Bytes, BytesMut};
use types::{Blob, Fault, Kind, Result, ask::Upload};

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

/// Keeps the bytes of a form's files, one file after the other.
pub trait Files {
    /// Some bytes of the file that is under way.
    fn data(&mut self, data: Bytes);
    /// That file is complete.
    fn end(&mut self) -> Blob;
}

/// Keeps them in memory. A file that comes in one piece stays a slice of what came in.
#[derive(Debug, Default)]
pub struct InMemory {
    first: Bytes,
    rest: BytesMut,
}

impl Files for InMemory {
    fn data(&mut self, data: Bytes) {
        if !self.rest.is_empty() {
            self.rest.extend_from_slice(&data);
        } else if self.first.is_empty() {
            self.first = data;
        } else {
            self.rest.extend_from_slice(&self.first);
            self.rest.extend_from_slice(&data);
        }
    }

    fn end(&mut self) -> Blob {
        let (first, rest) = (std::mem::take(&mut self.first), std::mem::take(&mut self.rest));
        if rest.is_empty() { first.into() } else { rest.freeze().into() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    head: Head,
    text: Vec<u8>,
}

impl Form {
    /// A form without fields, to be filled part by part.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a whole body in memory.
    ///
    /// # Errors
    /// `UnsupportedMediaType` when the content type is no form's, `BadRequest` when the body is no good form.
    pub fn read(content_type: &str, body: Bytes, limits: Limits) -> Result<Self> {
        let mut parser = Parser::new(&boundary(content_type)?, limits);
        let mut form = Self::new();
        form.push(&mut parser, body, &mut InMemory::default())?;
        parser.finish()?;
        Ok(form)
    }

    /// Takes the next bytes of a body through its parser.
    ///
    /// # Errors
    /// `BadRequest` when they are no good form.
    pub fn push(&mut self, parser: &mut Parser, bytes: Bytes, files: &mut impl Files) -> Result<()> {
        let mut taken = Ok(());
        parser.push(bytes, &mut |event| {
            if taken.is_ok() {
                taken = self.take(event, files);
            }
        })?;
        taken
    }

    fn take(&mut self, event: Event, files: &mut impl Files) -> Result<()> {
        match event {
            Event::PartBegin(head) => self.part = Some(Part { head, text: Vec::new() }),
            Event::Data(data) => match &mut self.part {
                Some(part) if part.head.is_file() => files.data(data),
                Some(part) => part.text.extend_from_slice(&data),
                None => {}
            },
            Event::PartEnd => {
                if let Some(part) = self.part.take() {
                    self.fields.push(part.field(files)?);
                }
            }
            Event::End => {}
        }
        Ok(())
    }
}

impl Part {
    fn field(self, files: &mut impl Files) -> Result<Field> {
        let is_file = self.head.is_file();
        let Head { name, file_name, content_type } = self.head;
        let content = if is_file {
            Content::File(Upload { bytes: files.end(), file_name, claimed_type: content_type })
        } else {
            let text = String::from_utf8(self.text).map_err(|_| {
                let message =
                    format!("`{name}` is neither text in UTF-8 nor a file; give a file a name (`filename=\"…\"`).");
                Fault::new(Kind::BadRequest, message).param(name.clone())
            })?;
            Content::Text(text)
        };
        Ok(Field { name, content })
    }
}
