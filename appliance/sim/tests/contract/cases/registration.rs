//! People who show who they are by a registration code, and the keys that are then theirs.
//!
//! A code works once: not with a wrong password, not for somebody else, not again.

use enrolld::registration::{self, Identity};
use privacyidea::transport::{Https, Trust};
use privacyidea::{Client, Credentials, SecretString, Serial};
use station::engine::server::Person;
use station::papers::registration::{Letter, table};
use twins::privacyidea::{ADMIN, REALM, USERS, Version};

use crate::Broken;
use crate::cases::Case;
use crate::plan::{Expect, Plan};
use crate::play::once_more;
use crate::room::Room;
use crate::site::Site;
use crate::story::Story;

/// What a server needs for codes that people can type, and for passwords before them.
const POLICIES: [&str; 2] = ["userstore-pin", "registration-digits"];

pub(super) fn cases(version: Version) -> Vec<Case> {
    let base: &[&'static str] =
        if version.replaces_keys_without_policies() { &["admin-rights"] } else { &[] };
    let policies = [base, &POLICIES].concat();
    vec![
        Case::script("registration / a code works once, and for its person", &policies, |site| {
            Box::pin(once(site))
        }),
        Case::script("registration / the key handed over is its person's", &policies, |site| {
            Box::pin(handed_over(site))
        }),
        Case::script("registration / codes that nobody can read are told", base, |site| {
            Box::pin(unreadable(site))
        }),
    ]
}

fn client(site: &Site) -> Result<Client<Https>, Broken> {
    let https = Https::builder(&site.url, Trust::pem(&site.ca)?, "enrolld/0 (contract)").build()?;
    Ok(Client::new(https, Credentials::password(ADMIN.0, secret(ADMIN.1))))
}

fn secret(text: &str) -> SecretString {
    SecretString::copy_of(text)
}

/// A letter for everybody in the realm.
async fn letters(story: &mut Story, client: &Client<Https>) -> Result<Vec<Letter>, Broken> {
    let people = registration::without_token(client, REALM).await?;
    story.equal("the people without a token", people.len(), USERS.len());
    let made = registration::create(client, &people).await;
    story.claim(made.failed.is_none(), || format!("a code was not made: {:?}", made.failed));
    story.equal("the warning", made.warning, None);
    story.equal("the letters", made.letters.len(), USERS.len());
    Ok(made.letters)
}

/// A letter as it is printed.
fn on_paper(letter: &Letter) -> paper::Letter {
    paper::Letter {
        user: letter.person.user.clone(),
        realm: letter.person.realm.clone(),
        name: letter.name.clone(),
        token: letter.token.clone(),
        key: String::new(),
        secret: letter.code.clone(),
    }
}

/// The person, the password and the code of a letter.
fn of(letters: &[Letter], user: &str) -> Result<(Person, SecretString, SecretString), Broken> {
    let letter = letters.iter().find(|letter| letter.person.user == user).ok_or("a letter is missing")?;
    let known = USERS.iter().find(|known| known.login == user).ok_or("there is no such user")?;
    Ok((letter.person.clone(), secret(known.password), secret(&letter.code)))
}

async fn once(site: Site) -> Result<Story, Broken> {
    let mut story = Story::default();
    let client = client(&site)?;
    story.equal("people of no realm", registration::without_token(&client, "nowhere").await?.len(), 0);
    let letters = letters(&mut story, &client).await?;
    // Before 3.14 the server's list does not say which realm its people are of.
    story.claim(letters.iter().all(|letter| letter.person.realm == REALM), || {
        format!("a letter is for {}", letters[0].person)
    });
    let digits = |letter: &Letter| letter.code.len() == 12 && letter.code.bytes().all(|b| b.is_ascii_digit());
    story.claim(letters.iter().all(digits), || "a code has not twelve digits".to_owned());
    // Whoever has a code has a token: nobody gets two.
    let missing = registration::without_token(&client, REALM).await?;
    story.claim(missing.is_empty(), || format!("{} people would get a second code", missing.len()));
    story.equal("lines of the table", table(&letters).lines().count(), USERS.len() + 1);
    let written: Vec<paper::Letter> = letters.iter().map(on_paper).collect();
    let template = paper::Template::registration(paper::Language::English);
    let printed = paper::letters(&template, &written, paper::Language::English);
    let printed = printed.map_err(|why| why.to_string())?;
    story.claim(printed.starts_with(b"%PDF-1."), || "the letters are no PDF".to_owned());

    let (alice, alices_password, alices) = of(&letters, "alice")?;
    let (bob, bobs_password, bobs) = of(&letters, "bob")?;
    for (what, person, password, code) in [
        ("a wrong password", &alice, &bobs_password, &alices),
        ("another's code", &alice, &alices_password, &bobs),
        ("alice's code for bob", &bob, &bobs_password, &alices),
        ("alice's password and code for bob", &bob, &alices_password, &alices),
        ("no password", &alice, &secret(""), &alices),
        ("no code", &alice, &alices_password, &secret("")),
    ] {
        let said = registration::check(&client, person, password, code).await?;
        story.claim(matches!(said, Identity::Wrong(_)), || format!("{what}: {said:?}"));
    }
    let nobody = Person { user: "nobody".to_owned(), realm: REALM.to_owned() };
    let said = registration::check(&client, &nobody, &alices_password, &alices).await;
    let shown = said.as_ref().is_ok_and(|said| *said != Identity::NoCode);
    story.claim(!shown, || format!("somebody unknown: {said:?}"));
    for (what, person, password, code, wanted) in [
        ("the right ones", &alice, &alices_password, &alices, Identity::Shown),
        ("the same ones again", &alice, &alices_password, &alices, Identity::NoCode),
        ("another's right ones", &bob, &bobs_password, &bobs, Identity::Shown),
    ] {
        let said = registration::check(&client, person, password, code).await?;
        story.equal(what, said, wanted);
    }
    Ok(story)
}

/// One after the other shows who they are, and gets the key that is inserted next.
async fn handed_over(site: Site) -> Result<Story, Broken> {
    let mut story = Story::default();
    let client = client(&site)?;
    let letters = letters(&mut story, &client).await?;
    let plan = |user| Plan::new("", Expect::Enrolled).policies(&POLICIES).person(user);
    let mut room = Room::open(site, &plan("alice")).await?;
    for user in ["alice", "dave.o'neil", "jörg"] {
        let (person, password, code) = of(&letters, user)?;
        let said = registration::check(&client, &person, &password, &code).await?;
        story.equal("the identity", said, Identity::Shown);
        room.key = crate::key::TestKey::new(room.next_number(), plan(user).key)?;
        // The judge looks up whose the token is, and logs in as them with password and code of the key.
        once_more(&mut story, &mut room, &plan(user), Expect::Enrolled).await?;
    }
    let tokens = room.site.observer.tokens().await?;
    let owners = |kind: &str| {
        let owned = tokens.values().filter(|token| token.tokentype == kind);
        let mut owners: Vec<_> = owned.map(|token| token.username.clone()).collect();
        owners.sort();
        owners
    };
    story.equal(
        "who has a key",
        owners("hotp"),
        ["alice", "dave.o'neil", "jörg"].map(str::to_owned).to_vec(),
    );
    story.equal("who has a code left", owners("registration"), ["bob", "carol"].map(str::to_owned).to_vec());
    Ok(story)
}

async fn unreadable(site: Site) -> Result<Story, Broken> {
    let mut story = Story::default();
    let client = client(&site)?;
    let people = registration::without_token(&client, REALM).await?;
    let made = registration::create(&client, &people).await;
    let warned = made.warning.is_some_and(|why| why.contains("registration.contents"));
    story.claim(warned, || format!("the warning is {:?}", made.warning));
    let serial = made.letters.first().map(|letter| letter.token.clone()).ok_or("no code was made")?;
    let serial = Serial::new(&serial)?;
    // Taken back, and no less when that is said twice.
    registration::withdraw(&client, &serial).await?;
    registration::withdraw(&client, &serial).await?;
    let left = site.observer.tokens().await?;
    story.equal("the codes left", left.len(), USERS.len() - 1);
    Ok(story)
}
