//! Reads the TOML file into a tree of values and remembers where each one stands.

use serde_json::{Map, Number, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    File,
    path::Path,
    problem::{Place, Report},
};

/// The tree, or nothing if the text is not TOML; then each fault of the syntax was reported.
pub(crate) fn read(file: &File<'_>, report: &mut Report) -> Option<Value> {
    let lines = Lines::new(file);
    let (table, faults) = DeTable::parse_recoverable(file.text);
    for fault in &faults {
        let place = lines.place(fault.span().map_or(0, |span| span.start));
        // Only the parser's own words: its full display repeats the line, which may hold a secret.
        report.add_at(place, &Path::root(), format!("this is not valid TOML: {}", fault.message()));
    }
    if !faults.is_empty() {
        return None;
    }
    let mut reader = Reader { lines, report };
    Some(reader.table(table.get_ref(), &Path::root()))
}

struct Reader<'a> {
    lines: Lines<'a>,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &Path) -> Value {
        let mut members = Map::new();
        for (key, value) in table {
            let path = path.key(key.get_ref());
            self.report.remember(path.clone(), self.lines.place(key.span().start));
            members.insert(key.get_ref().to_string(), self.value(value, &path));
        }
        Value::Object(members)
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &Path) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Number(number.into()),
                Err(_) => Value::Number(Number::from(u64::MAX)),
            },
            // A fraction or a date fits nowhere; what is wrong with it is said where the schema is known.
            DeValue::Float(number) => {
                number.as_str().parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
            }
            DeValue::Datetime(_) => Value::Null,
            DeValue::Array(elements) => {
                let mut list = Vec::with_capacity(elements.len());
                for (index, element) in elements.iter().enumerate() {
                    let path = path.index(index);
                    self.report.remember(path.clone(), self.lines.place(element.span().start));
                    list.push(self.value(element, &path));
                }
                Value::Array(list)
            }
            DeValue::Table(table) => self.table(table, path),
        }
    }
}

/// Byte offsets as lines and columns.
struct Lines<'a> {
    file: &'a File<'a>,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(file: &'a File<'a>) -> Self {
        let newlines = file.text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Self { file, starts: std::iter::once(0).chain(newlines).collect() }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.file.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        Place::File { name: self.file.name.to_owned(), line, column }
    }
}
