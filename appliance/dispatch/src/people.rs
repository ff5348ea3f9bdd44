//! Looking people up at the server before anything is done for them.
//!
//! A realm's people are asked for at once, which takes as long as one of them by name; whoever is not
//! shown is asked for by name, at most four at a time ([`Paced`](crate::scheduler::Paced)).

use std::collections::BTreeSet;
use std::sync::Arc;

use station::engine::server::{PeopleView, Person, ServerAnswer, ServerCall, ServerFault};
use station::papers::people::{Directory, Named, Opinion, forms};
use station::refusal::{Code, Refusal};
use tokio::task::JoinSet;

use crate::server::ServerPort;

/// What the server says of each of them, in their order; never [`Opinion::Ask`].
///
/// # Errors
/// The server cannot be asked, or not by this login ([`Code::LookupForbidden`]).
pub async fn look_up(server: &Arc<dyn ServerPort>, wanted: &[Named]) -> Result<Vec<Opinion>, Refusal> {
    let mut directory = directory(server).await?;
    let realms: BTreeSet<String> = wanted.iter().flat_map(|named| directory.realms_of(named)).collect();
    for realm in realms {
        call(server, &mut directory, &realm).await?;
    }
    ask(server, &mut directory, wanted).await
}

/// What the server says of somebody; never [`Opinion::Ask`]. The realm's people are asked for only when
/// nobody answers to the name.
///
/// # Errors
/// As [`look_up`].
pub async fn look_one_up(server: &Arc<dyn ServerPort>, wanted: &Named) -> Result<Opinion, Refusal> {
    let mut directory = directory(server).await?;
    let one = std::slice::from_ref(wanted);
    let opinion = ask(server, &mut directory, one).await?;
    if !matches!(opinion.as_slice(), [Opinion::Unknown(_)]) {
        return only(opinion);
    }
    // Whether anybody answers at all, and who is called alike.
    for realm in directory.realms_of(wanted).into_iter().collect::<BTreeSet<_>>() {
        call(server, &mut directory, &realm).await?;
    }
    only(ask(server, &mut directory, one).await?)
}

fn only(opinions: Vec<Opinion>) -> Result<Opinion, Refusal> {
    opinions.into_iter().next().ok_or_else(|| Refusal::new(Code::Internal, "nobody was looked up"))
}

async fn directory(server: &Arc<dyn ServerPort>) -> Result<Directory, Refusal> {
    match server.call(ServerCall::Realms).await.map_err(|fault| refusal(&fault))? {
        ServerAnswer::Realms(realms) => Ok(Directory::new(realms)),
        _ => Err(Refusal::new(Code::Internal, "realms were answered by something else")),
    }
}

async fn people(server: &dyn ServerPort, realm: &str, login: Option<String>) -> Result<PeopleView, Refusal> {
    let call = ServerCall::People { realm: realm.to_owned(), login };
    match server.call(call).await.map_err(|fault| refusal(&fault))? {
        ServerAnswer::People(people) => Ok(people),
        _ => Err(Refusal::new(Code::Internal, "people were answered by something else")),
    }
}

async fn call(server: &Arc<dyn ServerPort>, directory: &mut Directory, realm: &str) -> Result<(), Refusal> {
    directory.called(realm, people(server.as_ref(), realm, None).await?);
    Ok(())
}

/// Asks by name until there is an opinion of everybody.
async fn ask(
    server: &Arc<dyn ServerPort>,
    directory: &mut Directory,
    wanted: &[Named],
) -> Result<Vec<Opinion>, Refusal> {
    loop {
        let opinions: Vec<Opinion> = wanted.iter().map(|named| directory.opinion(named)).collect();
        let open: BTreeSet<(String, String)> = opinions
            .iter()
            .filter_map(|opinion| match opinion {
                Opinion::Ask(people) => Some(people),
                _ => None,
            })
            .flatten()
            .map(|person| (person.user.clone(), person.realm.clone()))
            .collect();
        if open.is_empty() {
            return Ok(opinions);
        }
        let mut asking = JoinSet::new();
        for (user, realm) in open {
            let server = Arc::clone(server);
            asking.spawn(async move {
                let mut shown = PeopleView::default();
                for form in forms(&user) {
                    let PeopleView { people, skipped } = people(server.as_ref(), &realm, Some(form)).await?;
                    shown.skipped.extend(skipped);
                    shown.people.extend(people);
                }
                Ok::<_, Refusal>((Person { user, realm }, shown))
            });
        }
        while let Some(asked) = asking.join_next().await {
            let (person, shown) =
                asked.map_err(|error| Refusal::new(Code::Internal, error.to_string()))??;
            directory.asked(&person, shown);
        }
    }
}

fn refusal(fault: &ServerFault) -> Refusal {
    let code = match fault.code() {
        Code::PolicyForbids => Code::LookupForbidden,
        code => code,
    };
    Refusal::new(code, fault.detail())
}
