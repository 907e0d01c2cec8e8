//! Rules in CEL: an expression over the call, its caller and the state of things chooses targets.
//!
//! The only file that knows the library. An expression is read when the configuration is compiled: its length, its depth
//! and its number of parts are bounded, names that do not exist are refused, and so are loops, so that a rule takes at most
//! as many steps as it has parts.

use std::{collections::HashMap, fmt, sync::LazyLock};

use cel::{
    Context, Value,
    common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue},
    parser::PrattParser,
};
use types::Asked;

use crate::health::TargetView;

/// The longest expression, in bytes.
pub const MAX_LENGTH: usize = 2000;
/// The most parts (names, numbers, texts, operators) that one may have.
pub const MAX_PARTS: usize = 300;
/// How deep brackets and signs may stand inside one another.
pub const MAX_DEPTH: u16 = 32;

/// Every name that an expression may use, in the order of the documentation.
pub const NAMES: &[&str] = &[
    "model",
    "operation",
    "stream",
    "tools",
    "vision",
    "input_tokens",
    "max_output_tokens",
    "headers",
    "key",
    "percent",
    "hour",
    "minute",
    "weekday",
    "unix",
    "targets",
];

/// Functions and operators that an expression may use; everything else is refused by name.
const FUNCTIONS: &[&str] = &["contains", "startsWith", "endsWith", "size", "int", "uint", "double", "string"];

/// What a target of an alias or rule is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasTarget {
    /// What its route means.
    pub asked: Asked,
    /// How often it is considered beside others of its priority.
    pub weight: u32,
    /// Lower ones first.
    pub priority: u32,
}

/// A rule, ready to be asked.
pub struct Rule {
    source: Box<str>,
    expression: IdedExpr,
    /// Every text in the expression: only what it can name is looked up.
    texts: Vec<Box<str>>,
    uses: Uses,
    /// The targets that it chooses.
    pub targets: Vec<AliasTarget>,
}

/// Which of the costlier names an expression uses.
#[derive(Clone, Copy, Default)]
struct Uses {
    headers: bool,
    targets: bool,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("when", &self.source).field("targets", &self.targets).finish()
    }
}

/// What an expression may ask.
pub struct Facts<'a> {
    /// The model as the caller named it.
    pub model: &'a str,
    /// The operation, as in the documentation: `chat`, `embeddings`, …
    pub operation: &'a str,
    /// Whether a stream is wanted.
    pub stream: bool,
    /// Whether tools are offered.
    pub tools: bool,
    /// Whether there are pictures in the call.
    pub vision: bool,
    /// About how many tokens it has.
    pub input_tokens: u64,
    /// How many the answer may have; none where the call does not say.
    pub max_output: Option<u64>,
    /// The call's headers, by their names in lower case. Credentials are not among them.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The name of the caller's key; empty for a caller without one.
    pub key: &'a str,
    /// The time, in seconds since 1970.
    pub unix: u64,
    /// A number from 0 to below 100: [`percent`].
    pub percent: f64,
    /// How a backend or server does with this model, by its name.
    pub target: &'a dyn Fn(&str) -> Option<TargetView>,
}

/// A number from 0 to below 100 for this seed: random calls for random seeds, the same one for the same [`crate::order::sticky`].
pub fn percent(seed: u64) -> f64 {
    crate::order::percent(seed)
}

/// The first rule that is true.
pub fn first<'a>(rules: &'a [Rule], facts: &Facts<'_>) -> Option<&'a Rule> {
    rules.iter().find(|rule| rule.matches(facts))
}

impl Rule {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it and where, in a sentence.
    pub fn new(when: &str, targets: Vec<AliasTarget>) -> Result<Self, String> {
        if when.len() > MAX_LENGTH {
            return Err(format!("an expression has at most {MAX_LENGTH} bytes"));
        }
        let parser = PrattParser::default().max_recursion_depth(MAX_DEPTH).error_recovery_limit(1);
        let expression = parser.parse(when).map_err(|errors| {
            let first = errors.errors.first();
            let column = first.map_or(1, |error| error.pos.1.max(1));
            let message = first.map_or("it cannot be read", |error| error.msg.as_str());
            format!("this is no expression in CEL, from character {column}: {message}")
        })?;
        let mut look = Look::default();
        look.at(&expression)?;
        let (texts, uses) = (look.texts, look.uses);
        Ok(Self { source: when.into(), expression, texts, uses, targets })
    }

    /// The expression as it was written.
    pub fn when(&self) -> &str {
        &self.source
    }

    /// Whether it is true. An expression that asks for what is not there is not.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        let mut scope = CONTEXT.new_inner_scope();
        for (name, value) in [
            ("model", Value::from(facts.model)),
            ("operation", Value::from(facts.operation)),
            ("stream", Value::Bool(facts.stream)),
            ("tools", Value::Bool(facts.tools)),
            ("vision", Value::Bool(facts.vision)),
            ("input_tokens", int(facts.input_tokens)),
            ("max_output_tokens", int(facts.max_output.unwrap_or(0))),
            ("key", Value::from(facts.key)),
            ("percent", Value::Float(facts.percent)),
            ("hour", int(facts.unix / 3600 % 24)),
            ("minute", int(facts.unix / 60 % 60)),
            // 1970 began on a Thursday; Monday is 1, Sunday is 7.
            ("weekday", int((facts.unix / 86_400 + 3) % 7 + 1)),
            ("unix", int(facts.unix)),
        ] {
            scope.add_variable_from_value(name, value);
        }
        if self.uses.headers {
            let header = |name: &str| Some((name.to_owned(), Value::from((facts.header)(name)?)));
            scope.add_variable_from_value("headers", Value::from(self.named(header)));
        }
        if self.uses.targets {
            let target = |name: &str| Some((name.to_owned(), shown(&(facts.target)(name)?)));
            scope.add_variable_from_value("targets", Value::from(self.named(target)));
        }
        matches!(scope.resolve(&self.expression), Ok(Value::Bool(true)))
    }

    fn named(&self, find: impl Fn(&str) -> Option<(String, Value)>) -> HashMap<String, Value> {
        self.texts.iter().filter_map(|text| find(text)).collect()
    }
}

/// The functions of the language, made once.
static CONTEXT: LazyLock<Context<'static>> = LazyLock::new(Context::default);

fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A target as expressions see it.
fn shown(target: &TargetView) -> Value {
    let members = [
        ("state", Value::from(target.state.name())),
        ("failures", Value::Float(f64::from(target.failures_per_thousand) / 1000.0)),
        ("first_event_ms", int(target.first_event_ms.unwrap_or(0))),
        ("tokens_per_second", int(target.tokens_per_second.unwrap_or(0))),
        ("in_flight", int(target.in_flight.into())),
    ];
    Value::from(HashMap::<String, Value>::from_iter(members.map(|(name, value)| (name.to_owned(), value))))
}

/// What is looked for in an expression before it is taken.
#[derive(Default)]
struct Look {
    parts: usize,
    texts: Vec<Box<str>>,
    uses: Uses,
}

impl Look {
    fn at(&mut self, part: &IdedExpr) -> Result<(), String> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(format!("an expression has at most {MAX_PARTS} parts"));
        }
        match &part.expr {
            Expr::Unspecified => Err("this is no expression in CEL".to_owned()),
            Expr::Literal(literal) => {
                if let LiteralValue::String(text) = literal {
                    self.texts.push(text.inner().into());
                }
                Ok(())
            }
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => {
                self.texts.push(select.field.as_str().into());
                self.at(&select.operand)
            }
            Expr::List(list) => self.all(&list.elements),
            Expr::Call(call) => {
                self.function(&call.func_name)?;
                if let Some(target) = &call.target {
                    self.at(target)?;
                }
                self.all(&call.args)
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.at(&entry.key)?;
                        self.at(&entry.value)?;
                    }
                }
                Ok(())
            }
            Expr::Comprehension(_) => {
                Err("loops (all, exists, exists_one, filter, map) are not available in rules".to_owned())
            }
            Expr::Struct(_) => Err("messages are not available in rules".to_owned()),
        }
    }

    fn all(&mut self, parts: &[IdedExpr]) -> Result<(), String> {
        parts.iter().try_for_each(|part| self.at(part))
    }

    fn name(&mut self, name: &str) -> Result<(), String> {
        match name {
            "headers" => self.uses.headers = true,
            "targets" => self.uses.targets = true,
            _ if NAMES.contains(&name) => {}
            _ => {
                let near = crate::nearest::hint(name, NAMES.iter().copied());
                let name = crate::shown::value(name);
                return Err(format!("there is no {name}{near}; there are {}", NAMES.join(", ")));
            }
        }
        Ok(())
    }

    fn function(&self, name: &str) -> Result<(), String> {
        // Operators have names that no function can have: `_&&_`, `!_`, `_?_:_`, `@in`.
        let operator = !name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        if operator || FUNCTIONS.contains(&name) {
            return Ok(());
        }
        let near = crate::nearest::hint(name, FUNCTIONS.iter().copied());
        let name = crate::shown::value(name);
        Err(format!("there is no function {name}{near}; there are {}", FUNCTIONS.join(", ")))
    }
}
