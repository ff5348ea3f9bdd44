//! Tokens that exist: find them, change them, delete them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::body::Object;
use crate::call::{Call, path_name};
use crate::calls::answer::Rollout;
use crate::calls::init::named_fields;
use crate::client::Client;
use crate::envelope::{self, Envelope, Json, Malformed};
use crate::error::{Error, Invalid, ServerCode};
use crate::http::Transport;
use crate::names::{HashAlgorithm, Serial, TokenType, User};
use crate::secret::SecretString;

/// A token as the server lists it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Token {
    /// Its serial.
    pub serial: String,
    /// Its type.
    pub kind: TokenType,
    /// Whether it counts. A disabled one answers every check with no.
    pub active: bool,
    /// Whether it was revoked, which cannot be undone.
    pub revoked: bool,
    /// Whether it is locked.
    pub locked: bool,
    /// Where its enrollment stands.
    pub rollout: Rollout,
    /// The text for people.
    pub description: String,
    /// Who owns it, with realm and resolver.
    pub owner: Option<User>,
    /// The realms it is in.
    pub realms: Vec<String>,
    /// Characters of one OTP.
    pub otp_length: Option<u32>,
    /// HOTP: the next counter to be accepted. Yubico OTP: use · 256 + session.
    pub count: Option<u64>,
    /// How far ahead a check looks.
    pub count_window: Option<u32>,
    /// Wrong tries since the last right one.
    pub fail_count: Option<u32>,
    /// Wrong tries until it refuses right ones, too.
    pub max_fail: Option<u32>,
    /// The container it is in.
    pub container: Option<String>,
    /// Tokeninfo. It may hold what is nobody's business, such as the private
    /// id of a Yubico OTP slot: not for logs.
    pub info: BTreeMap<String, String>,
}

impl Token {
    /// The hash in its tokeninfo. HOTP tokens of old servers have none, which
    /// means SHA-1; this tells only what is there.
    pub fn hash(&self) -> Option<HashAlgorithm> {
        self.info.get("hashlib").and_then(|name| HashAlgorithm::from_name(name))
    }
}

/// Fields whose type differs between versions are read leniently; a token
/// without serial or type is none.
#[derive(Deserialize)]
struct Wire<'a> {
    serial: String,
    tokentype: String,
    active: bool,
    #[serde(borrow)]
    revoked: Option<Json<'a>>,
    #[serde(borrow)]
    locked: Option<Json<'a>>,
    rollout_state: Option<String>,
    description: Option<String>,
    username: Option<String>,
    user_realm: Option<String>,
    resolver: Option<String>,
    #[serde(borrow)]
    realms: Option<Json<'a>>,
    #[serde(borrow)]
    otplen: Option<Json<'a>>,
    #[serde(borrow)]
    count: Option<Json<'a>>,
    #[serde(borrow)]
    count_window: Option<Json<'a>>,
    #[serde(borrow)]
    failcount: Option<Json<'a>>,
    #[serde(borrow)]
    maxfail: Option<Json<'a>>,
    container_serial: Option<String>,
    #[serde(borrow)]
    info: Option<Json<'a>>,
}

impl From<Wire<'_>> for Token {
    fn from(wire: Wire<'_>) -> Self {
        let filled = |text: Option<String>| text.filter(|t| !t.is_empty());
        let number = |json: Option<Json<'_>>| json.and_then(Json::ok::<u64>);
        let small = |json| number(json).and_then(|n| u32::try_from(n).ok());
        let flag = |json: Option<Json<'_>>| json.and_then(Json::ok).unwrap_or(false);
        let (realm, resolver) = (filled(wire.user_realm), filled(wire.resolver));
        Self {
            kind: TokenType::from_name(&wire.tokentype),
            active: wire.active,
            revoked: flag(wire.revoked),
            locked: flag(wire.locked),
            rollout: Rollout::from_field(wire.rollout_state.as_deref()),
            description: wire.description.unwrap_or_default(),
            owner: filled(wire.username).map(|login| User { login, realm, resolver }),
            realms: wire.realms.and_then(Json::ok).unwrap_or_default(),
            otp_length: small(wire.otplen),
            count: number(wire.count),
            count_window: small(wire.count_window),
            fail_count: small(wire.failcount),
            max_fail: small(wire.maxfail),
            container: filled(wire.container_serial),
            info: wire.info.map(texts).unwrap_or_default(),
            serial: wire.serial,
        }
    }
}

/// A map whose values are texts, or JSON written as text.
fn texts(json: Json<'_>) -> BTreeMap<String, String> {
    let map: BTreeMap<String, serde_json::Value> = json.ok().unwrap_or_default();
    map.into_iter()
        .map(|(key, value)| match value {
            serde_json::Value::String(text) => (key, text),
            other => (key, other.to_string()),
        })
        .collect()
}

/// Which tokens to list. Texts may contain `*`; case does not matter.
#[derive(Debug, Clone, Default)]
pub struct TokenFilter {
    /// Serial.
    pub serial: Option<String>,
    /// Type.
    pub kind: Option<String>,
    /// Login name of the owner.
    pub user: Option<String>,
    /// Realm of the owner.
    pub realm: Option<String>,
    /// Realm of the token.
    pub token_realm: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// With or without an owner.
    pub assigned: Option<bool>,
    /// Enabled or disabled.
    pub active: Option<bool>,
    /// State of the enrollment (`clientwait`, `verify`).
    pub rollout_state: Option<String>,
    /// A pair of its tokeninfo.
    pub info: Option<(String, String)>,
    /// The container it is in.
    pub container: Option<String>,
    /// Page, from 1.
    pub page: Option<u32>,
    /// Tokens a page: 15 unless told, at most 1000.
    pub page_size: Option<u32>,
}

/// A page of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenPage {
    /// How many there are on all pages.
    pub count: u64,
    /// The number of the next page, if there is one.
    pub next: Option<u32>,
    /// The tokens of this page.
    pub tokens: Vec<Token>,
}

impl TokenPage {
    /// Reads the body of an answer, which must be a success.
    pub fn from_body(body: &[u8]) -> Result<Self, Malformed> {
        Self::from_envelope(&envelope::parse(body)?)
    }

    fn from_envelope(envelope: &Envelope<'_>) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        struct Page<'a> {
            count: u64,
            #[serde(borrow)]
            next: Option<Json<'a>>,
            #[serde(borrow)]
            tokens: Vec<Wire<'a>>,
        }
        let page: Page<'_> = envelope.read()?;
        Ok(Self {
            count: page.count,
            next: page.next.and_then(Json::ok),
            tokens: page.tokens.into_iter().map(Token::from).collect(),
        })
    }
}

/// Where an OTP was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The serial, if exactly one token has this OTP next.
    pub serial: Option<String>,
    /// How many tokens were searched.
    pub searched: u64,
}

impl<T: Transport> Client<T> {
    /// A page of the tokens that pass the filter. Needs the right `tokenlist`.
    pub async fn tokens(&self, filter: &TokenFilter) -> Result<TokenPage, Error> {
        let yes_no = |flag: Option<bool>| flag.map(|f| if f { "true" } else { "false" });
        let call = Call::get("/token/", &[])
            .query("serial", filter.serial.as_deref())
            .query("type", filter.kind.as_deref())
            .query("user", filter.user.as_deref())
            .query("realm", filter.realm.as_deref())
            .query("tokenrealm", filter.token_realm.as_deref())
            .query("description", filter.description.as_deref())
            .query("assigned", yes_no(filter.assigned))
            .query("active", yes_no(filter.active))
            .query("rollout_state", filter.rollout_state.as_deref())
            .query("infokey", filter.info.as_ref().map(|(key, _)| key.as_str()))
            .query("infovalue", filter.info.as_ref().map(|(_, value)| value.as_str()))
            .query("container_serial", filter.container.as_deref())
            .query("page", filter.page.map(|n| n.to_string()))
            .query("pagesize", filter.page_size.map(|n| n.to_string()));
        self.call(call, TokenPage::from_envelope).await
    }

    /// The token of exactly this serial. The server's filter ignores case, so
    /// a list that holds only other spellings is the same as none.
    pub async fn token(&self, serial: &Serial) -> Result<Option<Token>, Error> {
        let filter = TokenFilter {
            serial: Some(serial.as_str().to_owned()),
            page_size: Some(1000),
            ..TokenFilter::default()
        };
        let page = self.tokens(&filter).await?;
        Ok(page.tokens.into_iter().find(|token| token.serial == serial.as_str()))
    }

    /// Lets it count. Returns whether that changed anything.
    pub async fn enable(&self, serial: &Serial) -> Result<bool, Error> {
        self.change("/token/enable", serial).await
    }

    /// Stops it from counting. Returns whether that changed anything.
    pub async fn disable(&self, serial: &Serial) -> Result<bool, Error> {
        self.change("/token/disable", serial).await
    }

    /// Takes it from its owner. Without an owner nothing happens, which is no error.
    pub async fn unassign(&self, serial: &Serial) -> Result<bool, Error> {
        self.change("/token/unassign", serial).await
    }

    async fn change(&self, template: &'static str, serial: &Serial) -> Result<bool, Error> {
        self.call(Call::post(template, &[], Object::new().text("serial", serial.as_str())), changed).await
    }

    /// Gives it to a user. Refused with 1103 if it has an owner, **even the
    /// same one**: after a lost answer look who owns it. Look, too, when the login has `@` or
    /// a backslash in it: a server that does not divide names as others do may know another by it.
    ///
    /// A rule for PINs is applied to an assignment, too, and then a token that is given away without
    /// a `pin` is refused. With one, it is the token's PIN from then on.
    pub async fn assign(
        &self,
        serial: &Serial,
        owner: &User,
        pin: Option<&SecretString>,
    ) -> Result<bool, Error> {
        owner.check()?;
        let spelled = owner.spelled();
        let pin = pin.map(SecretString::reveal);
        let assigned = self.assign_as(serial, &spelled, owner, pin).await;
        match assigned {
            // A server that does not divide names knows nobody of that one.
            Err(error) if error.code() == Some(ServerCode::UnknownUser) && spelled != owner.login => {
                self.assign_as(serial, &owner.login, owner, pin).await
            }
            assigned => assigned,
        }
    }

    async fn assign_as(
        &self,
        serial: &Serial,
        login: &str,
        owner: &User,
        pin: Option<&str>,
    ) -> Result<bool, Error> {
        let body =
            named_fields(Object::new().text("serial", serial.as_str()), login, owner).maybe("pin", pin);
        let answer = self.call(Call::post("/token/assign", &[], body), changed).await;
        answer.map_err(|error| error.without(pin))
    }

    /// Deletes it. Refused with 601 under HTTP 404 if there is none.
    pub async fn delete(&self, serial: &Serial) -> Result<bool, Error> {
        self.call(Call::delete("/token/{serial}", &[serial.as_str()]), changed).await
    }

    /// Sets the PIN that goes in front of the OTP.
    pub async fn set_pin(&self, serial: &Serial, pin: &SecretString) -> Result<bool, Error> {
        let body = Object::new().text("serial", serial.as_str()).text("otppin", pin.reveal());
        let answer = self.call(Call::post("/token/setpin", &[], body), changed).await;
        answer.map_err(|error| error.without([pin.reveal()]))
    }

    /// Sets a tokeninfo pair. Keys that the token itself maintains (`hashlib`,
    /// `tokenkind` …) are refused with 303; older servers overwrite them.
    pub async fn set_info(&self, serial: &Serial, key: &str, value: &str) -> Result<bool, Error> {
        let names = [serial.as_str(), path_name("the tokeninfo key", key)?];
        self.call(
            Call::post("/token/info/{serial}/{key}", &names, Object::new().text("value", value)),
            changed,
        )
        .await
    }

    /// Finds the counter again by two consecutive OTPs; `false` if they are
    /// not in the window.
    pub async fn resync(
        &self,
        serial: &Serial,
        first: &SecretString,
        second: &SecretString,
    ) -> Result<bool, Error> {
        let body = Object::new()
            .text("serial", serial.as_str())
            .text("otp1", first.reveal())
            .text("otp2", second.reveal());
        self.call(Call::post("/token/resync", &[], body), |envelope| envelope.read()).await
    }

    /// Which token has this OTP next. Expensive: the server tries every token
    /// that the serial, which may contain `*`, lets through. The OTP is a part
    /// of the address, where servers log it: never use one that still counts.
    pub async fn serial_of(&self, otp: &SecretString, serial: Option<&str>) -> Result<Found, Error> {
        #[derive(Deserialize)]
        struct Value {
            serial: Option<String>,
            count: u64,
        }
        let otp = path_name("the OTP", otp.reveal())?;
        let call = Call::get("/token/getserial/{otp}", &[otp]).query("serial", serial);
        let value: Value = self.call(call, |envelope| envelope.read()).await?;
        Ok(Found { serial: value.serial.filter(|s| !s.is_empty()), searched: value.count })
    }
}

/// A count, or true and false: the versions differ.
pub(crate) fn number(envelope: &Envelope<'_>) -> Result<u64, Malformed> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Count {
        Flag(bool),
        Number(u64),
    }
    Ok(match envelope.read()? {
        Count::Flag(flag) => u64::from(flag),
        Count::Number(number) => number,
    })
}

pub(crate) fn changed(envelope: &Envelope<'_>) -> Result<bool, Malformed> {
    number(envelope).map(|n| n > 0)
}

/// A listed token has a serial that calls can take, unless the server stored one
/// outside of its own rule.
impl TryFrom<&Token> for Serial {
    type Error = Invalid;

    fn try_from(token: &Token) -> Result<Self, Invalid> {
        Self::new(token.serial.as_str())
    }
}
