//! Who comes in, and what one connection may do.

#![cfg(test)]

mod recorded;

use std::sync::Arc;
use std::time::Duration;

use control::Role;
use recorded::{Shared, operator};
use russh::ChannelMsg;
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::public::{Ed25519PublicKey, KeyData, SkEd25519};
use russh::keys::{
    Algorithm, EcdsaCurve, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate,
};

struct Anyone;

impl russh::client::Handler for Anyone {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

async fn open() -> (Shared, u16) {
    let shared = Shared::new(Duration::from_secs(600));
    let (opened, port) = tokio::sync::oneshot::channel();
    let mut opened = Some(opened);
    let door = shell::ssh::run(shared.settings(), move |addresses| {
        if let Some(opened) = opened.take() {
            opened.send(addresses[0].port()).unwrap();
        }
    });
    tokio::spawn(async move { door.await.unwrap() });
    (shared, port.await.unwrap())
}

async fn connect(port: u16) -> Handle<Anyone> {
    let config = Arc::new(russh::client::Config::default());
    russh::client::connect(config, ("127.0.0.1", port), Anyone).await.unwrap()
}

async fn log_in(port: u16, key: &PrivateKey) -> (Handle<Anyone>, bool) {
    let mut client = connect(port).await;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key.clone()), None);
    let result = client.authenticate_publickey("anyone", key).await.unwrap();
    let done = result.success();
    (client, done)
}

fn key(shared: &Shared, name: &str) -> PrivateKey {
    PrivateKey::read_openssh_file(shared.directory.path().join(name)).unwrap()
}

fn made(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), algorithm).unwrap()
}

/// Waits until the SSH server has heard of a change: it takes it in before it says that it is open.
async fn heard(shared: &Shared, before: usize) {
    while shared.recorded.arguments("DoorOpened").len() <= before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whoever_is_named_comes_in_from_where_it_is_said() {
    let (shared, port) = open().await;
    heard(&shared, 0).await;
    assert!(log_in(port, &key(&shared, "ada")).await.1);
    assert!(!log_in(port, &key(&shared, "mallory")).await.1);

    let ecdsa: Vec<PrivateKey> = [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521]
        .map(|curve| made(Algorithm::Ecdsa { curve }))
        .to_vec();
    let mut named: Vec<_> = ecdsa
        .iter()
        .map(|key| operator("eve", Role::Viewer, &key.public_key().to_openssh().unwrap()))
        .collect();
    let far = made(Algorithm::Ed25519);
    let mut restricted = operator("far", Role::Viewer, &far.public_key().to_openssh().unwrap());
    restricted.from = vec!["192.0.2.0/24".into()];
    named.push(restricted);
    shared.recorded.set_operators(named);
    heard(&shared, 1).await;
    for key in &ecdsa {
        assert!(log_in(port, key).await.1, "{}", key.algorithm());
    }
    assert!(!log_in(port, &far).await.1, "from= holds");
    assert!(!log_in(port, &key(&shared, "ada")).await.1, "who is not named any more stays outside");
}

/// A security key that touches itself.
struct SecurityKey {
    key: PrivateKey,
    wrong: bool,
}

#[derive(Debug)]
struct Unsent;

impl From<russh::SendError> for Unsent {
    fn from(_: russh::SendError) -> Self {
        Self
    }
}

impl russh::Signer for SecurityKey {
    type Error = Unsent;

    /// PROTOCOL.u2f of OpenSSH, "SSH U2F Signatures".
    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Unsent> {
        use sha2::{Digest as _, Sha256};
        let (flags, counter) = (1_u8, 7_u32.to_be_bytes());
        let application = if self.wrong { "ssh:other" } else { "ssh:" };
        let message =
            [&Sha256::digest(application)[..], &[flags], &counter, &Sha256::digest(&to_sign)[..]].concat();
        let signature = self.key.try_sign(&message).unwrap();
        let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        let blob = [
            string(b"sk-ssh-ed25519@openssh.com"),
            string(signature.as_bytes()),
            vec![flags],
            counter.to_vec(),
        ];
        Ok([to_sign, string(&blob.concat())].concat())
    }
}

#[tokio::test]
async fn a_security_key_opens_the_door() {
    let (shared, port) = open().await;
    heard(&shared, 0).await;
    let key = made(Algorithm::Ed25519);
    let inner: Ed25519PublicKey = *key.public_key().key_data().ed25519().unwrap();
    let public = PublicKey::from(KeyData::from(SkEd25519::new(inner, "ssh:")));
    shared.recorded.set_operators(vec![operator("yuri", Role::Viewer, &public.to_openssh().unwrap())]);
    heard(&shared, 1).await;
    for wrong in [false, true] {
        let mut client = connect(port).await;
        let mut signer = SecurityKey { key: key.clone(), wrong };
        let result = client.authenticate_publickey_with("yuri", public.clone(), None, &mut signer).await;
        assert_eq!(matches!(result, Ok(AuthResult::Success)), !wrong);
    }
}

#[tokio::test]
async fn only_keys_are_taken() {
    let (shared, port) = open().await;
    heard(&shared, 0).await;
    let mut client = connect(port).await;
    let AuthResult::Failure { remaining_methods, .. } = client.authenticate_none("ada").await.unwrap() else {
        panic!("nothing opens the SSH server")
    };
    assert_eq!(remaining_methods.to_vec(), [russh::MethodKind::PublicKey]);
    assert!(!client.authenticate_password("ada", "ada").await.unwrap().success());
}

#[tokio::test]
async fn a_connection_has_four_sessions() {
    let (shared, port) = open().await;
    heard(&shared, 0).await;
    let (client, done) = log_in(port, &key(&shared, "vera")).await;
    assert!(done);
    let mut channels = Vec::new();
    for _ in 0..4 {
        channels.push(client.channel_open_session().await.unwrap());
    }
    assert!(client.channel_open_session().await.is_err());
    // When one has ended there is room for another.
    let mut channel = channels.pop().unwrap();
    channel.exec(true, "version").await.unwrap();
    let (mut status, mut out) = (None, Vec::new());
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => out.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    assert_eq!(status, Some(0));
    assert!(String::from_utf8(out).unwrap().contains("aarch64"));
    let opened = async {
        loop {
            if let Ok(channel) = client.channel_open_session().await {
                return channel;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), opened).await.unwrap();
}

#[tokio::test]
async fn a_signal_calls_an_enrollment_off() {
    let (shared, port) = open().await;
    heard(&shared, 0).await;
    let (client, _) = log_in(port, &key(&shared, "oscar")).await;
    let mut channel = client.channel_open_session().await.unwrap();
    channel.exec(true, "enroll --user nobody --json").await.unwrap();
    let (mut status, mut out, mut err) = (None, Vec::new(), Vec::new());
    while shared.recorded.arguments("Enroll").is_empty() {
        tokio::task::yield_now().await;
    }
    channel.signal(russh::Sig::INT).await.unwrap();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => out.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } => err.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    assert_eq!(status, Some(130));
    let outcome: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(outcome["ending"], "undone");
    assert!(String::from_utf8(err).unwrap().contains("Cancelling"));
    assert_eq!(shared.recorded.arguments("Cancel").len(), 1);
}

#[tokio::test]
async fn every_command_is_in_the_audit_and_no_secret_is() {
    let (shared, port) = open().await;
    heard(&shared, 0).await;
    let (client, _) = log_in(port, &key(&shared, "ada")).await;
    for line in ["status", "server login admin hunter2", "token show MISSING", "'open"] {
        let mut channel = client.channel_open_session().await.unwrap();
        channel.exec(true, line).await.unwrap();
        channel.eof().await.unwrap();
        while channel.wait().await.is_some() {}
    }
    let audit = shared.recorded.arguments("Audit");
    let wanted = [
        ("status", "exit=0"),
        ("server login (not understood)", "exit=2"),
        ("token show MISSING", "exit=1"),
        ("(not understood)", "exit=2"),
    ];
    assert_eq!(audit.len(), wanted.len());
    for (line, (command, exit)) in audit.iter().zip(wanted) {
        assert!(line.contains(&format!("\"{command}\"")) && line.contains(exit), "{line}");
        assert!(!line.contains("hunter2"));
    }
}
