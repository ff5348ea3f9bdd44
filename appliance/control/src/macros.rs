//! What the messages are declared with: one declaration gives the Rust type, its
//! serialization, and its description.

/// Objects that the daemon sends. A reader ignores members that it does not know.
macro_rules! values {
    ($(
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])* pub $field:ident: $type:ty, )*
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name { $( $(#[doc = $field_doc])* pub $field: $type, )* }
        describe!($name, [$($doc)*], $($field: $type, [$($field_doc)*],)*);
    )*};
}

/// Arguments of calls. A member that is not known is an error. They may hold secrets,
/// so they cannot be shown or copied.
macro_rules! requests {
    ($(
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])* pub $field:ident: $type:ty, )*
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Default, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $( $(#[doc = $field_doc])* pub $field: $type, )* }
        describe!($name, [$($doc)*], $($field: $type, [$($field_doc)*],)*);
    )*};
}

/// Objects that the daemon sends and that hold what is meant for one person's eyes. They cannot be
/// shown or copied; a reader ignores members that it does not know.
macro_rules! confidences {
    ($(
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])* pub $field:ident: $type:ty, )*
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(serde::Serialize, serde::Deserialize)]
        pub struct $name { $( $(#[doc = $field_doc])* pub $field: $type, )* }
        describe!($name, [$($doc)*], $($field: $type, [$($field_doc)*],)*);
    )*};
}

macro_rules! describe {
    ($name:ident, [$($doc:literal)*], $($field:ident: $type:ty, [$($field_doc:literal)*],)*) => {
        impl $crate::shape::Described for $name {
            fn shape() -> $crate::shape::Shape {
                fn definition() -> $crate::shape::Definition {
                    $crate::shape::Definition {
                        name: stringify!($name),
                        doc: &[$($doc),*],
                        body: $crate::shape::Body::Struct(vec![$(
                            $crate::shape::Member {
                                name: stringify!($field),
                                doc: &[$($field_doc),*],
                                shape: <$type as $crate::shape::Described>::shape(),
                            },
                        )*]),
                    }
                }
                $crate::shape::Shape::Named(stringify!($name), definition)
            }
        }
    };
}

/// Enumerations of words.
macro_rules! words {
    ($(
        $(#[doc = $doc:literal])*
        pub enum $name:ident {
            $( $(#[doc = $word_doc:literal])* $variant:ident = $word:literal, )*
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name { $( $(#[doc = $word_doc])* #[serde(rename = $word)] $variant, )* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it in messages.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The one of that word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl $crate::shape::Described for $name {
            fn shape() -> $crate::shape::Shape {
                fn definition() -> $crate::shape::Definition {
                    $crate::shape::Definition {
                        name: stringify!($name),
                        doc: &[$($doc),*],
                        body: $crate::shape::Body::Enum(vec![$(
                            $crate::shape::Word { name: $word, doc: &[$($word_doc),*] },
                        )*]),
                    }
                }
                $crate::shape::Shape::Named(stringify!($name), definition)
            }
        }
    )*};
}
