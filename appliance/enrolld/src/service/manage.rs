//! Tokens and people at the server.

use std::sync::Arc;

use control::types::{
    People, Person, Token, TokenAssign, TokenDelete, TokenList, TokenResync, Tokens, UserFind,
};
use control::{Refusal, Secret};
use keys::secret::AccessCode;
use privacyidea::{Error, Rollout, SecretString, Serial, TokenFilter, User};
use station::refusal::Code;

use super::Service;
use super::refuse::{no, of_server};
use dispatch::server::{code_kept_with, enrollment_of, holds_secret};

/// How many people are told at most.
const MOST_PEOPLE: usize = 200;

/// The longest login that is told: no directory has longer ones (LDAP, POSIX: 255 bytes).
const LONGEST_LOGIN: usize = 255;

/// So many characters are told of what is only looked at.
const BRIEF: usize = 300;

/// What is told in place of a note that may hold a secret.
const NOT_TOLD: &str = "(secret)";

/// What the server has noted somewhere, for people to look at.
fn brief(text: &str) -> String {
    control::clean::cut(text, BRIEF).into_owned()
}

fn serial(text: &str) -> Result<Serial, Refusal> {
    Serial::new(text).map_err(|error| no(Code::InputInvalid, error.to_string()))
}

fn secret(secret: &Secret) -> SecretString {
    SecretString::copy_of(secret.expose())
}

/// What changes a token.
pub(super) enum Change {
    Enable,
    Disable,
    Unassign,
}

impl Service {
    /// A call's result, noted.
    pub(super) fn answered<T>(&self, result: Result<T, Error>) -> Result<T, Refusal> {
        self.credentials.called(result.as_ref().map(drop));
        result.map_err(|error| of_server(&error))
    }

    pub(super) async fn token(&self, text: &str) -> Result<Token, Refusal> {
        let serial = serial(text)?;
        let port = self.credentials.client()?;
        let found = self.answered(port.client().token(&serial).await)?;
        found.map(|token| shown(&token)).ok_or_else(|| no(Code::TokenUnknown, text.to_owned()))
    }

    pub(super) async fn tokens(&self, request: TokenList) -> Result<Tokens, Refusal> {
        let port = self.credentials.client()?;
        let owner = match &request.person {
            Some(text) => Some(self.owner(text).await?),
            None => None,
        };
        let filter = TokenFilter {
            serial: request.serial,
            kind: request.kind,
            user: owner.as_ref().map(|owner| owner.spelled().into_owned()),
            realm: owner.and_then(|owner| owner.realm),
            page: request.page,
            page_size: Some(request.size.unwrap_or(50).clamp(1, 100)),
            ..TokenFilter::default()
        };
        let page = self.answered(port.client().tokens(&filter).await)?;
        let total = i64::try_from(page.count).unwrap_or(i64::MAX);
        Ok(Tokens { tokens: page.tokens.iter().map(shown).collect(), total })
    }

    pub(super) async fn change_token(&self, text: &str, change: Change) -> Result<Token, Refusal> {
        let serial = serial(text)?;
        let port = self.credentials.client()?;
        let client = port.client();
        let changed = match change {
            Change::Enable => client.enable(&serial).await,
            Change::Disable => client.disable(&serial).await,
            Change::Unassign => client.unassign(&serial).await,
        };
        self.answered(changed)?;
        self.token(text).await
    }

    pub(super) async fn delete_token(&self, request: TokenDelete) -> Result<(), Refusal> {
        let serial = serial(&request.serial)?;
        let port = self.credentials.client()?;
        let client = port.client();
        let token = self.answered(client.token(&serial).await)?;
        if let Some(code) = token.as_ref().and_then(code_kept_with)
            && request.lose_access_code != Some(true)
            && !self.codes_have(&code)
        {
            let what = format!("the access code that is kept with {}", request.serial);
            return Err(no(Code::LastCopy, what));
        }
        self.answered(client.delete(&serial).await)?;
        // The PIN of a token that is gone is of no use to anybody.
        if let Some(enrollment) = token.as_ref().and_then(enrollment_of) {
            self.store.forget_pin(enrollment).await;
        }
        Ok(())
    }

    /// Whether an access code can be had from what the operators gave the station.
    fn codes_have(&self, code: &AccessCode) -> bool {
        let config = Arc::clone(&self.config.borrow());
        let codes = &config.access_codes;
        codes.table_file.as_ref().is_some_and(|file| file.secret.has(code))
            || codes.fixed_file.as_ref().is_some_and(|file| file.secret.same_as(code))
    }

    pub(super) async fn assign_token(&self, request: TokenAssign) -> Result<Token, Refusal> {
        let token = serial(&request.serial)?;
        let owner = self.owner(&request.person).await?;
        let port = self.credentials.client()?;
        self.answered(port.client().assign(&token, &owner, None).await)?;
        self.token(&request.serial).await
    }

    pub(super) async fn set_token_pin(&self, text: &str, pin: &Secret) -> Result<(), Refusal> {
        let token = serial(text)?;
        let port = self.credentials.client()?;
        self.answered(port.client().set_pin(&token, &secret(pin)).await).map(drop)
    }

    pub(super) async fn resync_token(&self, request: TokenResync) -> Result<Token, Refusal> {
        let token = serial(&request.serial)?;
        let port = self.credentials.client()?;
        let resync = port.client().resync(&token, &secret(&request.first), &secret(&request.second)).await;
        if self.answered(resync)? {
            return self.token(&request.serial).await;
        }
        Err(no(Code::CodeRejected, "the two codes are not in the token's window, or not one after the other"))
    }

    /// Whom an operator means, as the server takes it.
    async fn owner(&self, text: &str) -> Result<User, Refusal> {
        let (person, _) = self.person(text, false).await?;
        Ok(User::new(person.user, person.realm))
    }

    /// People with this text in a name or in the mail address.
    pub(super) async fn find_people(&self, request: UserFind) -> Result<People, Refusal> {
        let port = self.credentials.client()?;
        let realms = match request.realm {
            Some(realm) => vec![realm],
            None => {
                let realms = self.answered(port.client().realms().await)?;
                realms.into_iter().map(|realm| realm.name).collect()
            }
        };
        let wanted = request.text.to_lowercase();
        let mut people = Vec::new();
        for realm in realms {
            // The server's filter is on the login name alone, so everybody is asked for.
            let users = self.answered(port.client().users(&realm, "*").await)?;
            people.extend(users.into_iter().filter(|user| {
                [&user.username, &user.given_name, &user.surname, &user.email]
                    .iter()
                    .any(|text| text.to_lowercase().contains(&wanted))
            }));
        }
        let more = people.len() > MOST_PEOPLE;
        // A login is what orders name, so it is told whole or not at all.
        people.retain(|user| user.username.chars().count() <= LONGEST_LOGIN);
        let told = people.into_iter().take(MOST_PEOPLE).map(|user| Person {
            user: user.username,
            realm: user.realm,
            resolver: brief(&user.resolver),
            given_name: brief(&user.given_name),
            surname: brief(&user.surname),
            email: brief(&user.email),
        });
        Ok(People { people: told.collect(), more })
    }
}

fn shown(token: &privacyidea::Token) -> Token {
    let person = token.owner.as_ref().map(|owner| match &owner.realm {
        Some(realm) => format!("{}@{realm}", owner.login),
        None => owner.login.clone(),
    });
    Token {
        serial: token.serial.clone(),
        kind: token.kind.as_str().to_owned(),
        description: brief(&token.description),
        active: token.active,
        revoked: token.revoked,
        locked: token.locked,
        unverified: token.rollout == Rollout::Verify,
        person,
        realms: token.realms.clone(),
        digits: token.otp_length.map(i64::from),
        counter: token.count.and_then(|count| i64::try_from(count).ok()),
        failures: token.fail_count.map(i64::from),
        most_failures: token.max_fail.map(i64::from),
        info: token.info.iter().map(|(name, value)| (brief(name), note(name, value))).collect(),
    }
}

/// A note about a token. Whoever may look at tokens may not write to slots.
fn note(name: &str, value: &str) -> String {
    if holds_secret(name) { NOT_TOLD.to_owned() } else { brief(value) }
}
