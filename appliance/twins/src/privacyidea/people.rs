//! Who exists: administrators, the users of the one resolver, and its realm.
//! The same accounts as those of `scripts/privacyidea-fixture`.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::Version;

/// The administrator: name and password.
pub const ADMIN: (&str, &str) = ("admin", "admin-password");
/// A second administrator, whose rights a policy can cut back.
pub const HELPDESK: (&str, &str) = ("helpdesk", "helpdesk-password");
/// The one realm, which is the default realm.
pub const REALM: &str = "office";
/// The one resolver: a password file.
pub const RESOLVER: &str = "staff";

/// Somebody who can own tokens.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// The name to log in with.
    pub login: &'static str,
    /// Given name and surname.
    pub name: (&'static str, &'static str),
    /// Telephone number.
    pub phone: &'static str,
    /// Mail address.
    pub email: &'static str,
    /// The password in the resolver.
    pub password: &'static str,
    /// The number by which the resolver knows the user.
    pub uid: u32,
    pub realm: &'static str,
    pub resolver: &'static str,
}

pub const USERS: [User; 5] = [
    User {
        login: "alice",
        name: ("Alice", "Archer"),
        phone: "555-0101",
        email: "alice@example.test",
        password: "alice-password",
        uid: 1001,
        realm: REALM,
        resolver: RESOLVER,
    },
    User {
        login: "bob",
        name: ("Bob", "Baker"),
        phone: "555-0102",
        email: "bob@example.test",
        password: "bob-password",
        uid: 1002,
        realm: REALM,
        resolver: RESOLVER,
    },
    User {
        login: "carol",
        name: ("Carol", "Cooper"),
        phone: "555-0103",
        email: "carol@example.test",
        password: "carol-password",
        uid: 1003,
        realm: REALM,
        resolver: RESOLVER,
    },
    User {
        login: "dave.o'neil",
        name: ("Dave", "O'Neil"),
        phone: "555-0104",
        email: "dave@example.test",
        password: "dave-password",
        uid: 1004,
        realm: REALM,
        resolver: RESOLVER,
    },
    User {
        login: "jörg",
        name: ("Jörg", "Müller"),
        phone: "555-0105",
        email: "joerg@example.test",
        password: "joerg-password",
        uid: 1005,
        realm: REALM,
        resolver: RESOLVER,
    },
];

/// More users, whom [`ServerTwin::invite`](super::ServerTwin::invite) lets in: those of
/// `privacyidea-fixture run --people`.
static CROWD: LazyLock<Vec<User>> = LazyLock::new(|| {
    let person = |n: u32| {
        let login = match n % 10 {
            0 => format!("müller-{n:03}"),
            1 => format!("o'hara-{n:03}"),
            _ => format!("person-{n:03}"),
        };
        User {
            login: login.leak(),
            name: ("Person", format!("Number{n}").leak()),
            phone: "",
            email: "",
            password: "nobody knows it",
            uid: 19_999 + n,
            realm: REALM,
            resolver: RESOLVER,
        }
    };
    (1..=1000).map(person).collect()
});

/// The first so many of the crowd.
pub(super) fn crowd(number: usize) -> &'static [User] {
    CROWD.get(..number).unwrap_or(&CROWD)
}

impl User {
    /// The user of this name.
    pub fn named(login: &str) -> Option<&'static Self> {
        USERS.iter().chain(CROWD.iter()).find(|user| user.login == login)
    }

    /// Somebody of a realm beside the usual one. Lives as long as the process.
    pub(super) fn guest(login: &str, realm: &'static str, uid: u32) -> &'static Self {
        Box::leak(Box::new(Self {
            login: login.to_owned().leak(),
            name: ("Guest", format!("Number{uid}").leak()),
            phone: "",
            email: "",
            password: "nobody knows it",
            uid,
            realm,
            resolver: realm,
        }))
    }

    /// The user as `/user/` shows it.
    pub(super) fn shown(&self, version: Version) -> Value {
        let room = match self.uid {
            uid @ 1001..2000 => format!("Room {}", uid - 1001),
            _ => String::new(),
        };
        let (given, surname) = self.name;
        let mut shown = json!({
            "username": self.login, "givenname": given, "surname": surname, "email": self.email,
            "phone": "", "mobile": self.phone, "userid": self.uid.to_string(),
            "resolver": self.resolver, "editable": false,
            "description": format!("{given} {surname},{room},{},,{}", self.phone, self.email),
        });
        if let (true, Value::Object(fields)) = (version.is_3_14(), &mut shown) {
            fields.insert("realm".into(), self.realm.into());
        }
        shown
    }
}

/// A name against a pattern with `*`, without regard to case.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    matches_like(pattern, text, false)
}

/// The same; with `sql`, `_` stands for any one character.
pub(super) fn matches_like(pattern: &str, text: &str, sql: bool) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    // reached[i]: the pattern so far matches the first i characters.
    let mut reached: Vec<bool> = std::iter::once(true).chain(text.iter().map(|_| false)).collect();
    for wanted in pattern {
        let next = if wanted == '*' {
            reached
                .iter()
                .scan(false, |any, now| {
                    *any |= now;
                    Some(*any)
                })
                .collect()
        } else {
            let fits = text.iter().map(|c| *c == wanted || (sql && wanted == '_'));
            std::iter::once(false).chain(reached.iter().zip(fits).map(|(now, fits)| *now && fits)).collect()
        };
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::{matches, matches_like};

    #[test]
    fn stars_are_the_only_wildcards() {
        for (pattern, text) in
            [("*", ""), ("UB*", "ubom1"), ("*1", "ubom1"), ("u*o*1", "ubom1"), ("ubom1", "UBOM1")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("UB", "ubom1"), ("?bom1", "ubom1"), ("u*x*1", "ubom1"), ("", "x"), ("a*a", "a")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(matches_like("ub_m1", "UBOM1", true));
        assert!(!matches_like("ub_m1", "UBOM1", false));
        assert!(!matches_like("ub_om1", "UBOM1", true));
    }
}
