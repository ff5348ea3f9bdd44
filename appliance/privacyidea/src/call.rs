//! One call before it becomes a request: it can be sent a second time.

use std::sync::Arc;

use crate::body::Object;
use crate::error::Invalid;
use crate::http::{HttpRequest, Method, push_encoded};
use crate::secret::{SecretBytes, SecretString};

/// Which token goes with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    None,
    Session,
    Validate,
}

pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) template: &'static str,
    pub(crate) auth: Auth,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Arc<SecretBytes>>,
}

impl Call {
    /// `names` take the places of the `{…}` in the template, encoded.
    pub(crate) fn get(template: &'static str, names: &[&str]) -> Self {
        Self {
            method: Method::Get,
            template,
            auth: Auth::Session,
            path: path(template, names),
            query: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn delete(template: &'static str, names: &[&str]) -> Self {
        Self { method: Method::Delete, ..Self::get(template, names) }
    }

    pub(crate) fn post(template: &'static str, names: &[&str], body: Object) -> Self {
        Self { method: Method::Post, body: Some(body.finish()), ..Self::get(template, names) }
    }

    pub(crate) fn without_login(self) -> Self {
        Self { auth: Auth::None, ..self }
    }

    pub(crate) fn with_validate_key(self) -> Self {
        Self { auth: Auth::Validate, ..self }
    }

    pub(crate) fn query(mut self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        if let Some(value) = value {
            self.query.push((name, value.into()));
        }
        self
    }

    pub(crate) fn request(&self, authorization: Option<Arc<SecretString>>) -> HttpRequest {
        HttpRequest {
            method: self.method,
            path: self.path.clone(),
            template: self.template,
            query: self.query.clone(),
            authorization,
            body: self.body.clone(),
        }
    }
}

fn path(template: &str, names: &[&str]) -> String {
    let mut path = String::with_capacity(template.len() + 40);
    let mut names = names.iter();
    let mut in_name = false;
    for c in template.chars() {
        match c {
            '{' => {
                in_name = true;
                push_encoded(&mut path, names.next().copied().unwrap_or_default());
            }
            '}' => in_name = false,
            _ if in_name => {}
            c => path.push(c),
        }
    }
    path
}

/// Lets through what may stand as a part of a path: it must not be empty or
/// made of points alone, which would name another path.
pub(crate) fn path_name<'a>(what: &'static str, name: &'a str) -> Result<&'a str, Invalid> {
    if name.is_empty() {
        return Err(Invalid::Missing(what));
    }
    if name.len() > 255 || name.chars().all(|c| c == '.') || name.chars().any(|c| c.is_control() || c == '/')
    {
        return Err(Invalid::Name(what));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_into_the_path() {
        assert_eq!(path("/token/info/{serial}/{key}", &["A_1", "a b/ü"]), "/token/info/A_1/a%20b%2F%C3%BC");
        assert_eq!(path("/token/", &[]), "/token/");
    }

    #[test]
    fn names_that_would_be_another_path() {
        assert_eq!(path_name("key", "yubikey.prefix"), Ok("yubikey.prefix"));
        for bad in ["", ".", "..", "a/b", "a\n"] {
            assert!(path_name("key", bad).is_err(), "{bad:?}");
        }
    }
}
