//! What the messages look like, as values: for the Varlink description of the
//! interface and for JSON Schema.

use serde_json::{Value, json};

/// The form of a value in a message.
#[derive(Debug, Clone)]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// Text.
    Text,
    /// A moment: RFC 3339 text.
    Time,
    /// A secret: base64 text.
    Secret,
    /// Any JSON object.
    Any,
    /// May be missing or `null`.
    Optional(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// An object with arbitrary names and values of one form.
    Map(Box<Shape>),
    /// A type with a name.
    Named(&'static str, fn() -> Definition),
}

/// A type with a name.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// What it is: lines of Markdown.
    pub doc: &'static [&'static str],
    /// What it consists of.
    pub body: Body,
}

/// What a named type consists of.
#[derive(Debug, Clone)]
pub enum Body {
    /// An object with these members.
    Struct(Vec<Member>),
    /// One of these words.
    Enum(Vec<Word>),
}

/// A member of an object.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static [&'static str],
    /// Its form.
    pub shape: Shape,
}

/// A word of an enumeration.
#[derive(Debug, Clone)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static [&'static str],
}

/// Whatever can be part of a message.
pub trait Described {
    /// Its form.
    fn shape() -> Shape;
}

macro_rules! plain {
    ($($type:ty => $shape:ident,)*) => {
        $(impl Described for $type {
            fn shape() -> Shape {
                Shape::$shape
            }
        })*
    };
}

plain! {
    bool => Bool,
    i64 => Int,
    u64 => Int,
    u32 => Int,
    u16 => Int,
    u8 => Int,
    String => Text,
    jiff::Timestamp => Time,
    crate::Secret => Secret,
    Value => Any,
}

impl<T: Described> Described for Option<T> {
    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }
}

impl<T: Described> Described for Box<T> {
    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: Described> Described for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

impl<T: Described> Described for std::collections::BTreeMap<String, T> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }
}

/// The definition of a type that has a name.
pub fn definition<T: Described>() -> Option<Definition> {
    match T::shape() {
        Shape::Named(_, definition) => Some(definition()),
        _ => None,
    }
}

impl Shape {
    /// As Varlink writes it, in an interface with these methods.
    pub fn varlink(&self, methods: &[&str]) -> String {
        match self {
            Self::Bool => "bool".to_owned(),
            Self::Int => "int".to_owned(),
            Self::Text | Self::Time | Self::Secret => "string".to_owned(),
            Self::Any => "object".to_owned(),
            Self::Optional(inner) => format!("?{}", inner.varlink(methods)),
            Self::List(inner) => format!("[]{}", inner.varlink(methods)),
            Self::Map(inner) => format!("[string]{}", inner.varlink(methods)),
            Self::Named(name, _) => varlink_name(name, methods),
        }
    }

    /// The named types it is made of, itself first, each once.
    pub fn collect(&self, found: &mut Vec<Definition>) {
        match self {
            Self::Optional(inner) | Self::List(inner) | Self::Map(inner) => inner.collect(found),
            Self::Named(name, definition) if !found.iter().any(|known| known.name == *name) => {
                let definition = definition();
                found.push(definition.clone());
                if let Body::Struct(members) = &definition.body {
                    members.iter().for_each(|member| member.shape.collect(found));
                }
            }
            _ => {}
        }
    }

    fn schema(&self) -> Value {
        match self {
            Self::Bool => json!({ "type": "boolean" }),
            Self::Int => json!({ "type": "integer" }),
            Self::Text => json!({ "type": "string" }),
            Self::Time => json!({ "type": "string", "format": "date-time" }),
            Self::Secret => json!({ "type": "string", "contentEncoding": "base64" }),
            Self::Any => json!({ "type": "object" }),
            Self::Optional(inner) => json!({ "anyOf": [inner.schema(), { "type": "null" }] }),
            Self::List(inner) => json!({ "type": "array", "items": inner.schema() }),
            Self::Map(inner) => json!({ "type": "object", "additionalProperties": inner.schema() }),
            Self::Named(name, _) => json!({ "$ref": format!("#/$defs/{name}") }),
        }
    }
}

impl Definition {
    fn schema(&self) -> Value {
        let doc = text(self.doc);
        match &self.body {
            Body::Enum(words) => {
                let words: Vec<&str> = words.iter().map(|word| word.name).collect();
                json!({ "description": doc, "type": "string", "enum": words })
            }
            Body::Struct(members) => {
                let required: Vec<&str> = members
                    .iter()
                    .filter(|member| !matches!(member.shape, Shape::Optional(_)))
                    .map(|member| member.name)
                    .collect();
                let mut properties = serde_json::Map::new();
                for member in members {
                    let mut schema = member.shape.schema();
                    if let Value::Object(object) = &mut schema {
                        object.insert("description".to_owned(), Value::String(text(member.doc)));
                    }
                    properties.insert(member.name.to_owned(), schema);
                }
                json!({
                    "description": doc,
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            }
        }
    }

    /// As Varlink writes it in an interface with these methods, with its documentation as comments.
    pub fn varlink(&self, methods: &[&str]) -> String {
        let (mut out, name) = (comment("", self.doc), varlink_name(self.name, methods));
        match &self.body {
            Body::Enum(words) => {
                let words: Vec<String> =
                    words.iter().map(|word| format!("{}  {}", comment("  ", word.doc), word.name)).collect();
                out.push_str(&format!("type {name} (\n{}\n)\n", words.join(",\n")));
            }
            Body::Struct(members) => {
                out.push_str(&format!("type {name} {}\n", varlink_members(members, methods)));
            }
        }
        out
    }
}

/// The JSON Schema (draft 2020-12) of a type, complete in itself.
pub fn json_schema<T: Described>() -> Value {
    let shape = T::shape();
    let mut found = Vec::new();
    shape.collect(&mut found);
    let mut schema = shape.schema();
    if let Value::Object(object) = &mut schema {
        object.insert("$schema".to_owned(), Value::from("https://json-schema.org/draft/2020-12/schema"));
        let defs = found.iter().map(|definition| (definition.name.to_owned(), definition.schema()));
        object.insert("$defs".to_owned(), Value::Object(defs.collect()));
    }
    schema
}

/// A type's name. All members of an interface share one space of names, so a type may not be
/// called as a method is; readers that keep them in one table find the wrong one then.
fn varlink_name(name: &str, methods: &[&str]) -> String {
    if methods.contains(&name) { format!("{name}Info") } else { name.to_owned() }
}

pub(crate) fn varlink_members(members: &[Member], methods: &[&str]) -> String {
    if members.is_empty() {
        return "()".to_owned();
    }
    let members: Vec<String> = members
        .iter()
        .map(|member| {
            format!("{}  {}: {}", comment("  ", member.doc), member.name, member.shape.varlink(methods))
        })
        .collect();
    format!("(\n{}\n)", members.join(",\n"))
}

pub(crate) fn comment(indent: &str, doc: &[&str]) -> String {
    doc.iter().map(|line| format!("{indent}#{}\n", line.trim_end())).collect()
}

/// Documentation as one text.
pub fn text(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}
