//! Registration codes at the server: made for people without a token, and checked once.

use privacyidea::{
    Client, DisplayText, Error, Init, SecretString, Serial, ServerCode, TokenFilter, Transport, User,
    UserRecord, Whose,
};
use station::engine::server::Person;
use station::papers::registration::{Letter, readable};
use zeroize::Zeroizing;

/// The type of such tokens.
const KIND: &str = "registration";

pub struct Made {
    /// A letter for each person.
    pub letters: Vec<Letter>,
    /// Why people will have trouble with such codes, and what to change at the server.
    pub warning: Option<&'static str>,
    /// Where it ended before everybody had a code.
    pub failed: Option<Error>,
}

/// What the server says of password and code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The person is who they say. The code is used up.
    Shown,
    /// The person has no registration code.
    NoCode,
    /// Password or code is wrong, in the server's words.
    Wrong(DisplayText),
    /// The server took it and still has the code: whoever has it could use it again, so it does not count.
    NotUsedUp,
}

/// The people of a realm who have no token of any kind, registration codes included.
///
/// # Errors
/// Those of the server. A realm that there is none of has no people, which is no error.
pub async fn without_token<T: Transport>(client: &Client<T>, realm: &str) -> Result<Vec<UserRecord>, Error> {
    let mut missing = Vec::new();
    for person in client.users(realm, "*").await? {
        if tokens_of(client, &person.username, realm, None).await?.is_empty() {
            missing.push(person);
        }
    }
    Ok(missing)
}

/// Makes a code for each of them. One that could not be made ends it; those made before are given back.
pub async fn create<T: Transport>(client: &Client<T>, people: &[UserRecord]) -> Made {
    let mut made = Made { letters: Vec::with_capacity(people.len()), warning: None, failed: None };
    for person in people {
        let answer = match client.init(&Init::registration(person.user())).await {
            Ok(answer) => answer,
            Err(error) => {
                made.failed = Some(error);
                break;
            }
        };
        let Some(code) = answer.registration_code else { continue };
        made.warning = made.warning.or(readable(code.reveal()).err());
        made.letters.push(Letter {
            person: Person { user: person.username.clone(), realm: person.realm.clone() },
            name: name(person),
            token: answer.serial,
            code: Zeroizing::new(code.reveal().to_owned()),
        });
    }
    made
}

/// What people call somebody; the login where the server knows no name.
#[must_use]
pub fn name(person: &UserRecord) -> String {
    let name = format!("{} {}", person.given_name, person.surname);
    if name.trim().is_empty() { person.username.clone() } else { name.trim().to_owned() }
}

/// Has the server check a person's password and code. Only after [`Identity::Shown`] a key may be
/// enrolled for them.
///
/// The server takes any token of the person, so it is asked first which are registration codes,
/// and afterwards whether the one that matched is gone.
///
/// # Errors
/// Those of the server; then nobody has shown anything.
pub async fn check<T: Transport>(
    client: &Client<T>,
    person: &Person,
    password: &SecretString,
    code: &SecretString,
) -> Result<Identity, Error> {
    let before = tokens_of(client, &person.user, &person.realm, Some(KIND)).await?;
    if before.is_empty() {
        return Ok(Identity::NoCode);
    }
    let mut both = Zeroizing::new(String::with_capacity(512));
    both.push_str(password.reveal());
    both.push_str(code.reveal());
    let user = User::new(person.user.as_str(), person.realm.as_str());
    let verdict = client.check(Whose::User(&user), &SecretString::copy_of(&both)).await?;
    if !verdict.accepted {
        return Ok(Identity::Wrong(verdict.message));
    }
    let after = tokens_of(client, &person.user, &person.realm, Some(KIND)).await?;
    let used = before.iter().filter(|serial| !after.contains(serial)).count();
    let ours = verdict.serial.is_none_or(|serial| before.contains(&serial));
    Ok(if used == 1 && ours { Identity::Shown } else { Identity::NotUsedUp })
}

/// Takes a code back that nobody shall use any more. One that is gone is no error.
///
/// # Errors
/// Those of the server.
pub async fn withdraw<T: Transport>(client: &Client<T>, serial: &Serial) -> Result<(), Error> {
    match client.delete(serial).await {
        Err(error) if error.code() != Some(ServerCode::NotFound) => Err(error),
        _ => Ok(()),
    }
}

async fn tokens_of<T: Transport>(
    client: &Client<T>,
    user: &str,
    realm: &str,
    kind: Option<&str>,
) -> Result<Vec<String>, Error> {
    let filter = TokenFilter {
        user: Some(User::new(user, realm).spelled().into_owned()),
        realm: Some(realm.to_owned()),
        kind: kind.map(str::to_owned),
        ..TokenFilter::default()
    };
    Ok(client.tokens(&filter).await?.tokens.into_iter().map(|token| token.serial).collect())
}
