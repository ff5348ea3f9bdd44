//! What turns a table of calls into a Varlink interface: its methods, its client, its
//! service, and its description.

use std::collections::BTreeMap;
use std::pin::Pin;

use futures_core::Stream;
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::shape::{Body, Definition, Described, Shape, comment, definition, varlink_members};
use crate::wire::{self, Fault, Message, Reply};
use crate::{Refusal, Role};

/// Answers that come one after the other. Each says whether another follows; a stream that
/// ends before one that says no closes the connection, and so does a refusal end it.
pub type Replies<T> = Pin<Box<dyn Stream<Item = Result<Reply<T>, Refusal>> + Send>>;

/// Messages that come one after the other, and with each, whether another follows.
pub type Messages = Pin<Box<dyn Stream<Item = Result<(Message, bool), Fault>> + Send>>;

/// What a call came to, ready to be sent.
pub enum Answer {
    /// One answer.
    One(Message),
    /// One answer, and what is held until it has gone out.
    Held(Message, Box<dyn Send>),
    /// Several.
    Many(Messages),
}

/// A call of an interface, as a value.
pub struct CallInfo {
    /// Its name, without the interface.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static [&'static str],
    /// What an operator has to be to make it.
    pub role: Role,
    /// Whether it answers more than once.
    pub streams: bool,
    /// Its arguments.
    pub request: Definition,
    /// Its answer.
    pub reply: Definition,
}

impl CallInfo {
    /// What it is called with, in words for a log: secrets are left out, lists are counted.
    pub fn shown(&self, arguments: &str) -> String {
        self.shown_without(arguments, &[])
    }

    /// As [`Self::shown`], without what these members say.
    pub fn shown_without(&self, arguments: &str, hidden: &[&str]) -> String {
        let Body::Struct(members) = &self.request.body else { return String::new() };
        let given: BTreeMap<&str, &RawValue> = serde_json::from_str(arguments).unwrap_or_default();
        let mut shown = Vec::new();
        for member in members {
            let Some(value) = given.get(member.name).map(|value| value.get()) else { continue };
            let shape = match &member.shape {
                Shape::Optional(inner) => inner.as_ref(),
                shape => shape,
            };
            match shape {
                _ if value == "null" => {}
                Shape::Secret => shown.push(format!("{}=(secret)", member.name)),
                _ if hidden.contains(&member.name) => shown.push(format!("{}=(left out)", member.name)),
                Shape::List(_) => {
                    let count = serde_json::from_str::<Vec<&RawValue>>(value).map_or(0, |list| list.len());
                    shown.push(format!("{}=({count} lines)", member.name));
                }
                _ => shown.push(format!("{}={}", member.name, value.chars().take(200).collect::<String>())),
            }
        }
        shown.join(" ")
    }
}

pub(crate) fn one<T: Serialize>(reply: &T) -> Result<Answer, Fault> {
    wire::reply(reply, false).map(Answer::One).map_err(too_long)
}

pub(crate) fn many<T: Serialize + Send + 'static>(replies: Replies<T>) -> Answer {
    Answer::Many(Box::pin(replies.map(|reply| match reply {
        Ok(Reply { parameters, continues }) => {
            wire::reply(&parameters, continues).map(|message| (message, continues)).map_err(too_long)
        }
        Err(refusal) => Err(Fault::from(refusal)),
    })))
}

fn too_long(_: wire::WireError) -> Fault {
    Fault::InvalidParameter("the answer would be too long; ask for less".to_owned())
}

/// The definition of a message; a type that is no object has none and cannot be one.
pub(crate) fn message<T: Described>() -> Definition {
    definition::<T>().unwrap_or(Definition { name: "", doc: &[], body: Body::Struct(Vec::new()) })
}

/// The description of an interface in Varlink's language.
pub(crate) fn description(name: &str, doc: &[&str], calls: &[CallInfo]) -> String {
    let mut types: BTreeMap<&'static str, Definition> = BTreeMap::new();
    let mut out = format!("{}interface {name}\n", comment("", doc));
    let names: Vec<&str> = calls.iter().map(|call| call.name).collect();
    let mut methods = String::new();
    for call in calls {
        let mut found = Vec::new();
        let mut arguments = |definition: &Definition| match &definition.body {
            Body::Struct(members) => {
                members.iter().for_each(|member| member.shape.collect(&mut found));
                varlink_members(members, &names)
            }
            Body::Enum(_) => "()".to_owned(),
        };
        let request = arguments(&call.request);
        let reply = arguments(&call.reply);
        types.extend(found.into_iter().map(|definition| (definition.name, definition)));
        methods.push_str(&format!("\n{}", comment("", call.doc)));
        if call.streams {
            methods.push_str("# [Requires 'more' flag]\n");
        }
        methods.push_str(&format!("# For: {}\nmethod {}{request} -> {reply}\n", call.role, call.name));
    }
    for definition in types.values() {
        out.push_str(&format!("\n{}", definition.varlink(&names)));
    }
    if crate::wire::REFUSED.strip_suffix(".Refused") == Some(name) {
        methods.push_str(&refused(&names));
    }
    out + &methods
}

/// The one error that calls end with, beside Varlink's own.
fn refused(methods: &[&str]) -> String {
    let Definition { doc, body: Body::Struct(members), .. } = message::<crate::Refusal>() else {
        return String::new();
    };
    format!("\n{}error Refused {}\n", comment("", doc), varlink_members(&members, methods))
}

macro_rules! interface {
    (
        $(#[doc = $doc:literal])*
        interface $interface:literal, service $service:ident, method $method:ident;
        $(
            $(#[doc = $call_doc:literal])*
            $way:ident $name:ident $function:ident ($($request:ty)?) -> $reply:ty, $role:ident;
        )*
    ) => {
        /// The calls of the interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $method { $( $(#[doc = $call_doc])* $name, )* }

        impl $method {
            /// All calls, in the order of the description.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The interface's name.
            pub const INTERFACE: &'static str = $interface;

            /// The call's name without the interface.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The call of that full name.
            pub fn from_full_name(name: &str) -> Option<Self> {
                let name = name.strip_prefix($interface)?.strip_prefix('.')?;
                Self::ALL.iter().copied().find(|method| method.name() == name)
            }

            /// What an operator has to be to make it.
            pub const fn role(self) -> $crate::Role {
                match self { $(Self::$name => $crate::Role::$role,)* }
            }

            /// Whether it answers more than once.
            pub const fn streams(self) -> bool {
                match self { $(Self::$name => streams!($way),)* }
            }

            /// All about it.
            pub fn info(self) -> $crate::interface::CallInfo {
                match self {$(
                    Self::$name => $crate::interface::CallInfo {
                        name: stringify!($name),
                        doc: &[$($call_doc),*],
                        role: self.role(),
                        streams: self.streams(),
                        request: $crate::interface::message::<request_type!($($request)?)>(),
                        reply: $crate::interface::message::<$reply>(),
                    },
                )*}
            }

            /// Reads the arguments as the call wants them, and forgets them.
            pub fn check(self, arguments: &str) -> Result<(), $crate::wire::Fault> {
                match self {$(
                    Self::$name => {
                        $crate::wire::arguments::<request_type!($($request)?)>(arguments).map(drop)
                    }
                )*}
            }

            /// The interface in Varlink's language.
            pub fn description() -> String {
                let calls: Vec<_> = Self::ALL.iter().map(|method| method.info()).collect();
                $crate::interface::description($interface, &[$($doc),*], &calls)
            }
        }

        $(#[doc = $doc])*
        ///
        /// What the daemon implements. Each call comes with whoever makes it.
        pub trait $service: Send + Sync {
            /// Whoever makes calls.
            type Caller: Send + Sync;

            $(
                $(#[doc = $call_doc])*
                fn $function(
                    &self,
                    caller: &Self::Caller
                    $(, request: $request)?
                ) -> impl Future<Output = Result<reply_type!($way $reply), $crate::Refusal>> + Send;
            )*
        }

        /// Reads the arguments, makes the call, and writes the answer.
        pub async fn dispatch<S: $service>(
            service: &S,
            caller: &S::Caller,
            method: $method,
            arguments: &str,
        ) -> Result<$crate::interface::Answer, $crate::wire::Fault> {
            match method {$(
                $method::$name => {
                    let request = $crate::wire::arguments::<request_type!($($request)?)>(arguments)?;
                    let reply = make_call!(service $function caller request ($($request)?)).await?;
                    answer!($way reply)
                }
            )*}
        }

        impl $crate::Client {$(
            client_call!($way $interface $name $function ($($request)?) $reply [$($call_doc)*]);
        )*}
    };
}

macro_rules! streams {
    (call) => {
        false
    };
    (stream) => {
        true
    };
}

macro_rules! make_call {
    ($service:ident $function:ident $caller:ident $arguments:ident ()) => {{
        let $crate::types::Nothing {} = $arguments;
        $service.$function($caller)
    }};
    ($service:ident $function:ident $caller:ident $arguments:ident ($request:ty)) => {
        $service.$function($caller, $arguments)
    };
}

macro_rules! request_type {
    () => {
        $crate::types::Nothing
    };
    ($request:ty) => {
        $request
    };
}

macro_rules! reply_type {
    (call $reply:ty) => { $reply };
    (stream $reply:ty) => { $crate::interface::Replies<$reply> };
}

macro_rules! answer {
    (call $reply:ident) => {
        $crate::interface::one(&$reply)
    };
    (stream $reply:ident) => {
        Ok($crate::interface::many($reply))
    };
}

macro_rules! client_call {
    (call $interface:literal $name:ident $function:ident () $reply:ty [$($doc:literal)*]) => {
        $(#[doc = $doc])*
        pub async fn $function(&self) -> Result<$reply, $crate::CallError> {
            self.call(concat!($interface, ".", stringify!($name)), &$crate::types::Nothing {}).await
        }
    };
    (call $interface:literal $name:ident $function:ident ($request:ty) $reply:ty [$($doc:literal)*]) => {
        $(#[doc = $doc])*
        pub async fn $function(&self, request: &$request) -> Result<$reply, $crate::CallError> {
            self.call(concat!($interface, ".", stringify!($name)), request).await
        }
    };
    (stream $interface:literal $name:ident $function:ident () $reply:ty [$($doc:literal)*]) => {
        $(#[doc = $doc])*
        pub async fn $function(&self) -> Result<$crate::Incoming<$reply>, $crate::CallError> {
            self.stream(concat!($interface, ".", stringify!($name)), &$crate::types::Nothing {}).await
        }
    };
    (stream $interface:literal $name:ident $function:ident ($request:ty) $reply:ty [$($doc:literal)*]) => {
        $(#[doc = $doc])*
        pub async fn $function(&self, request: &$request) -> Result<$crate::Incoming<$reply>, $crate::CallError> {
            self.stream(concat!($interface, ".", stringify!($name)), request).await
        }
    };
}
