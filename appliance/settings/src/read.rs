//! How a TOML table becomes a section: every problem is found, not only the first, and
//! each knows its place. One declaration of a section makes the type, its reader, and its
//! part of the reference.

use std::io;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::problem::{Problem, meant, place};

/// A value and where it stands.
pub type Value<'a> = Spanned<DeValue<'a>>;

/// The files that stand beside a configuration.
pub trait Files {
    /// Reads one.
    fn read(&self, name: &str) -> io::Result<Zeroizing<Vec<u8>>>;
}

/// What reading is under way.
pub struct Reader<'a> {
    text: &'a str,
    /// The files beside the configuration.
    pub files: &'a dyn Files,
    path: Vec<String>,
    /// What is wrong, as far as it was read.
    pub problems: Vec<Problem>,
}

/// What can be the value of a field.
pub trait Field: Sized {
    /// What may be written, for the reference.
    fn form() -> String;

    /// Takes a value, or says why not.
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self>;

    /// It as TOML, for the reference; `None` when there is nothing to write.
    fn show(&self) -> Option<String>;

    /// The fields it consists of, when it is a table.
    fn fields() -> Vec<FieldInfo> {
        Vec::new()
    }
}

/// A field, for the reference.
#[derive(Debug, Clone)]
pub struct FieldInfo {
    /// Its name in TOML.
    pub name: String,
    /// What it is.
    pub doc: String,
    /// What may be written.
    pub form: String,
    /// What is in force when it is left out; `None` when it has to be there.
    pub default: Option<String>,
    /// Its own fields, when it is a table.
    pub fields: Vec<FieldInfo>,
}

impl<'a> Reader<'a> {
    /// Begins at the top of a text.
    pub fn new(text: &'a str, files: &'a dyn Files) -> Self {
        Self { text, files, path: Vec::new(), problems: Vec::new() }
    }

    /// Notes a problem with what stands at `span`.
    pub fn problem(&mut self, span: &Range<usize>, text: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem {
            place: Some(place(self.text, span)),
            field: self.path.join("."),
            text: text.into(),
            remedy: remedy.into(),
        });
    }

    /// The same with a field below the present one.
    pub fn problem_in(
        &mut self,
        field: &str,
        span: &Range<usize>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.below(field, |reader| reader.problem(span, text, remedy));
    }

    /// A value has the wrong type.
    pub fn misfit<T: Field>(&mut self, value: &Value<'_>) {
        let found = type_word(value.get_ref());
        self.problem(&value.span(), format!("this is {found}"), format!("Write {}.", T::form()));
    }

    /// Reads something below the present field.
    pub fn below<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.to_owned());
        let result = read(self);
        self.path.pop();
        result
    }

    /// Reads a field; what is missing or wrong becomes the default.
    pub fn field<T: Field>(
        &mut self,
        table: &Spanned<&DeTable<'_>>,
        name: &str,
        default: Option<fn() -> T>,
    ) -> Option<T> {
        let default = default.map(|make| make());
        let Some(value) = table.get_ref().get(name) else {
            if default.is_none() {
                let remedy = format!("Add {name} = … with {}.", T::form());
                self.problem_in(name, &table.span(), "it is missing", remedy);
            }
            return default;
        };
        self.below(name, |reader| T::read(value, reader)).or(default)
    }

    /// Notes every name in a table that is not known.
    pub fn unknown(&mut self, table: &DeTable<'_>, known: &[String]) {
        for name in table.keys() {
            let word = name.get_ref().as_ref();
            if known.iter().any(|known| known == word) {
                continue;
            }
            let remedy = match meant(word, known.iter().map(String::as_str)) {
                Some(known) => format!("Did you mean {known}?"),
                None if known.len() <= 20 => format!("Remove it; here may stand {}.", known.join(", ")),
                None => "Remove it; docs/configuration.md says what may stand here.".to_owned(),
            };
            self.problem_in(word, &name.span(), "there is no such field", remedy);
        }
    }
}

/// The name of a field in TOML, from its name in Rust.
pub fn toml_name(name: &str) -> String {
    name.replace('_', "-")
}

/// What a value is, in words.
pub fn type_word(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Documentation of a field as one text.
pub fn joined(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Declares sections whose every field has a default.
#[macro_export]
macro_rules! sections {
    ($(
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])* pub $field:ident: $type:ty = $default:expr, )*
        }
    )*) => {$(
        $crate::record! {
            $(#[doc = $doc])*
            pub struct $name { $( $(#[doc = $field_doc])* pub $field: $type = $default, )* }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }
    )*};
}

/// Declares a table. A field without a default has to be there.
#[macro_export]
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])* pub $field:ident: $type:ty $(= $default:expr)?, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $( $(#[doc = $field_doc])* pub $field: $type, )* }

        impl $crate::read::Field for $name {
            fn form() -> String {
                "a table".to_owned()
            }

            fn read(
                value: &$crate::read::Value<'_>,
                reader: &mut $crate::read::Reader<'_>,
            ) -> Option<Self> {
                let $crate::toml::de::DeValue::Table(table) = value.get_ref() else {
                    reader.misfit::<Self>(value);
                    return None;
                };
                let known = [$($crate::read::toml_name(stringify!($field))),*];
                reader.unknown(table, &known);
                let table = $crate::toml::Spanned::new(value.span(), table);
                $(
                    let $field = reader.field::<$type>(
                        &table,
                        &$crate::read::toml_name(stringify!($field)),
                        $crate::default_of!($($default)?),
                    );
                )*
                Some(Self { $( $field: $field?, )* })
            }

            fn show(&self) -> Option<String> {
                None
            }

            fn fields() -> Vec<$crate::read::FieldInfo> {
                vec![$(
                    $crate::read::FieldInfo {
                        name: $crate::read::toml_name(stringify!($field)),
                        doc: $crate::read::joined(&[$($field_doc),*]),
                        form: <$type as $crate::read::Field>::form(),
                        default: $crate::read::default_text::<$type>($crate::default_of!($($default)?)),
                        fields: <$type as $crate::read::Field>::fields(),
                    },
                )*]
            }
        }
    };
}

/// A field's default, if it has one.
#[macro_export]
macro_rules! default_of {
    () => {
        None
    };
    ($default:expr) => {
        Some(|| $default)
    };
}

/// A field's default as TOML.
pub fn default_text<T: Field>(default: Option<fn() -> T>) -> Option<String> {
    default.map(|make| make().show().unwrap_or_default())
}

impl<T: Field> Field for Option<T> {
    fn form() -> String {
        T::form()
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(value, reader).map(Some)
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(Field::show)
    }

    fn fields() -> Vec<FieldInfo> {
        T::fields()
    }
}

impl<T: Field> Field for Vec<T> {
    fn form() -> String {
        format!("a list, each {}", T::form())
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Array(items) = value.get_ref() else {
            reader.misfit::<Self>(value);
            return None;
        };
        // What is wrong with one element does not lose the others.
        let mut read = Vec::new();
        for (at, item) in items.iter().enumerate() {
            read.extend(reader.below(&format!("{}", at + 1), |reader| T::read(item, reader)));
        }
        Some(read)
    }

    fn show(&self) -> Option<String> {
        let items: Vec<String> = self.iter().filter_map(Field::show).collect();
        Some(format!("[{}]", items.join(", ")))
    }

    fn fields() -> Vec<FieldInfo> {
        T::fields()
    }
}

impl Field for bool {
    fn form() -> String {
        "true or false".to_owned()
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            reader.misfit::<Self>(value);
        }
        read
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}
