//! Signatures of keys that live here, over changes that are made up.

use proptest::prelude::*;
use ssh_key::public::{EcdsaPublicKey, KeyData, SkEcdsaSha2NistP256, SkEd25519};
use ssh_key::{
    Algorithm, EcdsaCurve, HashAlg, LineEnding, PrivateKey, PublicKey, Signature, SigningKey, SshSig,
};

use super::*;
use crate::config::{self, Files};

struct Nothing;

impl Files for Nothing {
    fn read(&self, _: &str) -> std::io::Result<zeroize::Zeroizing<Vec<u8>>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn made(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), algorithm).unwrap()
}

fn text_with(url: &str, operators: &[(&str, &str, &PublicKey)]) -> String {
    let mut text =
        format!("[station]\nname = \"desk-1\"\n[server]\nurl = \"{url}\"\n[profile.desk]\nkind = \"hotp\"\n");
    for (name, role, key) in operators {
        let key = key.to_openssh().unwrap();
        text.push_str(&format!("[[operators]]\nname = \"{name}\"\nrole = \"{role}\"\nkeys = [\"{key}\"]\n"));
    }
    text
}

struct Pair {
    texts: [String; 2],
    configs: [Config; 2],
}

impl Pair {
    fn new(from: String, to: String) -> Self {
        let config = |text: &str| {
            let parsed = config::parse(text, &Nothing);
            assert_eq!(parsed.problems, []);
            parsed.config
        };
        let configs = [config(&from), config(&to)];
        Self { texts: [from, to], configs }
    }

    fn change(&self, deed: Deed) -> Change<'_> {
        let [from, to] =
            [0, 1].map(|at| Side { text: &self.texts[at], config: &self.configs[at], key_withheld: false });
        Change { deed, from, to }
    }
}

fn armored(signature: &SshSig) -> Vec<String> {
    signature.to_pem(LineEnding::LF).unwrap().lines().map(str::to_owned).collect()
}

fn signed(key: &PrivateKey, text: &[u8]) -> Vec<String> {
    armored(&SshSig::sign(key, signature::NAMESPACE, HashAlg::Sha512, text).unwrap())
}

/// Ada is an admin with this key, and otto an operator; the server moves.
fn moved(ada: &PrivateKey, otto: &PrivateKey) -> Pair {
    let who = [("ada", "admin", ada.public_key()), ("otto", "operator", otto.public_key())];
    Pair::new(text_with("https://pi.example.org", &who), text_with("https://evil.example.org", &who))
}

const HOST: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

#[test]
fn every_kind_of_key_signs_a_text_once() {
    let algorithms = [
        Algorithm::Ed25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    ];
    for algorithm in algorithms {
        let (ada, otto) = (made(algorithm.clone()), made(Algorithm::Ed25519));
        let pair = moved(&ada, &otto);
        let (change, admins, now) = (pair.change(Deed::Commit), &pair.configs[0], Instant::now());
        let mut proofs = Proofs::default();
        let text = proofs.offer(&change, "desk-1", HOST, now);
        let proof = signed(&ada, text.as_bytes());
        assert_eq!(proofs.redeem(&change, &proof, admins, now).unwrap(), "ada", "{algorithm}");
        assert!(proofs.redeem(&change, &proof, admins, now).is_err(), "{algorithm}: it is good once");
        proofs.offer(&change, "desk-1", HOST, now);
        assert!(proofs.redeem(&change, &proof, admins, now).is_err(), "{algorithm}: nor with a new number");
    }
}

#[test]
fn a_proof_is_good_for_one_change_at_one_station_in_its_time() {
    let (ada, otto) = (made(Algorithm::Ed25519), made(Algorithm::Ed25519));
    let pair = moved(&ada, &otto);
    let who = [("ada", "admin", ada.public_key()), ("otto", "admin", otto.public_key())];
    let other = Pair::new(pair.texts[0].clone(), text_with("https://pi.example.org", &who));
    let (change, admins, now) = (pair.change(Deed::Commit), &pair.configs[0], Instant::now());
    let mut proofs = Proofs::default();
    let text = proofs.offer(&change, "desk-1", HOST, now);
    let proof = signed(&ada, text.as_bytes());
    let refused = |proofs: &mut Proofs, change: &Change<'_>, proof: &[String], at: Instant| {
        let refusal = proofs.redeem(change, proof, admins, at).unwrap_err();
        assert_eq!(refusal.code, Code::SignatureWrong.to_string());
        refusal.detail
    };
    // Another change, though it is printed as well, and the same change taken back.
    proofs.offer(&other.change(Deed::Commit), "desk-1", HOST, now);
    assert!(refused(&mut proofs, &other.change(Deed::Commit), &proof, now).contains("another text"));
    assert!(refused(&mut proofs, &pair.change(Deed::Rollback), &proof, now).contains("no text"));
    // Somebody who is no admin, and something else that was signed.
    assert!(refused(&mut proofs, &change, &signed(&otto, text.as_bytes()), now).contains("no admin"));
    let elsewhere = SshSig::sign(&ada, "file", HashAlg::Sha512, text.as_bytes()).unwrap();
    assert!(refused(&mut proofs, &change, &armored(&elsewhere), now).contains("something else"));
    let changed = text.replace("evil", "good");
    assert!(refused(&mut proofs, &change, &signed(&ada, changed.as_bytes()), now).contains("another text"));
    // Later; after a start; at another station.
    assert!(refused(&mut proofs, &change, &proof, now + LASTS).contains("ten minutes"));
    for mut fresh in [Proofs::default(), Proofs::default()] {
        assert!(refused(&mut fresh, &change, &proof, now).contains("no text"));
        fresh.offer(&change, "desk-1", HOST, now);
        assert!(refused(&mut fresh, &change, &proof, now).contains("another text"));
    }
}

#[test]
fn windows_may_write_the_file_as_it_does() {
    let (ada, otto) = (made(Algorithm::Ed25519), made(Algorithm::Ed25519));
    let pair = moved(&ada, &otto);
    let (change, now) = (pair.change(Deed::Commit), Instant::now());
    let encodings: [fn(&str) -> Vec<u8>; 2] = [
        |text| text.as_bytes().to_vec(),
        |text| [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
    ];
    let forms: [fn(&str) -> String; 3] = [
        |text| text.to_owned(),
        |text| text.replace('\n', "\r\n"),
        |text| text.trim_end().replace('\n', "\r\n"),
    ];
    for form in forms {
        for encode in encodings {
            let mut proofs = Proofs::default();
            let text = proofs.offer(&change, "desk-1", HOST, now);
            let proof = signed(&ada, &encode(&form(&text)));
            let proof: Vec<_> = proof.iter().map(|line| format!("{line}\r")).collect();
            assert_eq!(proofs.redeem(&change, &proof, &pair.configs[0], now).unwrap(), "ada");
        }
    }
}

fn plainly<S: SigningKey>(key: &S, message: &[u8]) -> Signature {
    key.try_sign(message).unwrap()
}

/// The public half of a security key that has this key inside.
fn security_key(inner: &PrivateKey) -> KeyData {
    match inner.public_key().key_data() {
        KeyData::Ed25519(key) => KeyData::from(SkEd25519::new(*key, "ssh:")),
        KeyData::Ecdsa(EcdsaPublicKey::NistP256(key)) => {
            KeyData::from(SkEcdsaSha2NistP256::new(*key, "ssh:"))
        }
        other => panic!("no security key has {other:?} inside"),
    }
}

/// What a security key signs (PROTOCOL.u2f, "SSH U2F Signatures").
fn by_security_key(inner: &PrivateKey, flags: u8, text: &[u8]) -> Vec<String> {
    use sha2::{Digest, Sha256};
    let data = security_key(inner);
    let wanted = SshSig::signed_data(signature::NAMESPACE, HashAlg::Sha512, text).unwrap();
    let counter = 7_u32.to_be_bytes();
    let message = [&Sha256::digest("ssh:")[..], &[flags], &counter, &Sha256::digest(wanted)[..]].concat();
    let plain = plainly(inner, &message);
    let bytes = [plain.as_bytes(), &[flags], &counter].concat();
    let signature = Signature::new(data.algorithm(), bytes).unwrap();
    armored(&SshSig::new(data, signature::NAMESPACE, HashAlg::Sha512, signature).unwrap())
}

#[test]
fn a_security_key_has_to_be_touched() {
    for algorithm in [Algorithm::Ed25519, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }] {
        let (inner, otto) = (made(algorithm.clone()), made(Algorithm::Ed25519));
        let public = PublicKey::from(security_key(&inner));
        let who = [("ada", "admin", &public), ("otto", "operator", otto.public_key())];
        let pair =
            Pair::new(text_with("https://pi.example.org", &who), text_with("https://new.example.org", &who));
        let (change, admins, now) = (pair.change(Deed::Commit), &pair.configs[0], Instant::now());
        let mut proofs = Proofs::default();
        let text = proofs.offer(&change, "desk-1", HOST, now);
        let mut redeem =
            |flags, text: &[u8]| proofs.redeem(&change, &by_security_key(&inner, flags, text), admins, now);
        assert!(redeem(0, text.as_bytes()).unwrap_err().detail.contains("touched"), "{algorithm}");
        // Who verified and did not touch has not touched.
        assert!(redeem(4, text.as_bytes()).unwrap_err().detail.contains("touched"), "{algorithm}");
        assert!(redeem(1, b"other").unwrap_err().detail.contains("another text"), "{algorithm}");
        assert_eq!(redeem(5, text.as_bytes()).unwrap(), "ada", "{algorithm}");
        assert!(redeem(5, text.as_bytes()).is_err(), "{algorithm}: it is good once");
    }
}

/// The flag is signed: nobody between can say of an untouched key that it was touched.
#[test]
fn the_touch_of_a_security_key_cannot_be_made_up() {
    for algorithm in [Algorithm::Ed25519, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }] {
        let (inner, otto) = (made(algorithm.clone()), made(Algorithm::Ed25519));
        let public = PublicKey::from(security_key(&inner));
        let who = [("ada", "admin", &public), ("otto", "operator", otto.public_key())];
        let pair =
            Pair::new(text_with("https://pi.example.org", &who), text_with("https://new.example.org", &who));
        let (change, now) = (pair.change(Deed::Commit), Instant::now());
        let mut proofs = Proofs::default();
        let text = proofs.offer(&change, "desk-1", HOST, now);
        let untouched = by_security_key(&inner, 0, text.as_bytes()).join("\n");
        let untouched = SshSig::from_pem(&untouched).unwrap();
        let mut bytes = untouched.signature_bytes().to_vec();
        let flags = bytes.len() - 5;
        bytes[flags] = 1;
        let forged = Signature::new(security_key(&inner).algorithm(), bytes).unwrap();
        let forged =
            SshSig::new(security_key(&inner), signature::NAMESPACE, HashAlg::Sha512, forged).unwrap();
        let refusal = proofs.redeem(&change, &armored(&forged), &pair.configs[0], now).unwrap_err();
        assert!(refusal.detail.contains("another text"), "{algorithm}: {}", refusal.detail);
    }
}

#[test]
fn a_text_names_each_field_and_hides_nothing() {
    let ada = made(Algorithm::Ed25519);
    let who = [("ada", "admin", ada.public_key())];
    let from = text_with("https://pi.example.org", &who);
    let to = from
        .replace("pi.example", "evil.example")
        .replace("[server]", "[server]\napi-key = \"aaa.bbb.ccc\"")
        .replace("desk-1", "desk-2")
        + "[[welcome]]\nname = \"B\u{fc}ro\u{202e}\\n\"\nvendor = \"yubico\"\n";
    let pair = Pair::new(from, to);
    let text = Proofs::default().offer(&pair.change(Deed::Commit), "desk-1", HOST, Instant::now());
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{text}");
    for wanted in [
        "station: \"desk-1\"",
        HOST,
        "server.url\n  old: \"https://pi.example.org\"\n  new: \"https://evil.example.org\"",
        "server.api-key\n  old: (nothing)\n  new: secret, SHA-256",
        "station.name\n  old: \"desk-1\"\n  new: \"desk-2\"",
        "welcome.1.name\n  old: (nothing)\n  new: \"B\\u{fc}ro\\u{202e}\\n\"",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing in\n{text}");
    }
    assert!(!text.contains("bbb") && !text.contains("operators"), "{text}");
}

/// Where the server's certificate says who it is, it does not matter where packets are led.
#[test]
fn the_network_is_protected_where_nothing_else_says_who_the_server_is() {
    let network =
        "[network]\naddress = \"192.0.2.10/24\"\ngateway = \"192.0.2.66\"\ndns = [\"192.0.2.66\"]\n";
    let any = "insecure = \"accept any certificate, so that anybody in between gets the seeds\"\n";
    let ada = made(Algorithm::Ed25519);
    for (insecure, counts) in [("", false), (any, true)] {
        let from = text_with("https://pi.example.org", &[("ada", "admin", ada.public_key())])
            .replace("[profile", &format!("{insecure}[profile"));
        let pair = Pair::new(from.clone(), format!("{from}{network}"));
        let change = pair.change(Deed::Commit);
        assert_eq!(protected(&change.from, "") != protected(&change.to, ""), counts, "{insecure}");
        // It is seen in either case, once.
        let text = Proofs::default().offer(&change, "desk-1", HOST, Instant::now());
        assert_eq!(text.matches("192.0.2.66").count(), 2, "{text}");
    }
}

proptest! {
    /// Whatever stands in a field, a text is lines of printable ASCII, and says of each field what it was and what
    /// it is to be: no value makes up a line of another field.
    #[test]
    fn nothing_that_cannot_be_seen_stands_in_a_text(value in any::<String>(), name in "\\PC{1,20}") {
        let ada = made(Algorithm::Ed25519);
        let from = text_with("https://pi.example.org", &[("ada", "admin", ada.public_key())]);
        let mut table: toml::Table = toml::from_str(&from).unwrap();
        let welcome = toml::Table::from_iter([
            ("name".to_owned(), toml::Value::from(value)),
            (name.clone(), toml::Value::from("x")),
        ]);
        table.insert("welcome".to_owned(), toml::Value::Array(vec![welcome.into()]));
        let to = toml::to_string(&table).unwrap();
        let configs = [&from, &to].map(|text| config::parse(text, &Nothing).config);
        let pair = Pair { texts: [from, to], configs };
        let text = Proofs::default().offer(&pair.change(Deed::Commit), "desk-1", HOST, Instant::now());
        prop_assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{}", text);
        let paragraphs: Vec<Vec<&str>> =
            text.split("\n\n").skip(1).map(|paragraph| paragraph.trim_end().split('\n').collect()).collect();
        prop_assert_eq!(paragraphs.len(), if name == "name" { 1 } else { 2 }, "{}", text);
        for lines in paragraphs {
            prop_assert_eq!(lines.len(), 3, "{}", text);
            prop_assert!(lines[0].starts_with("welcome.1."), "{}", text);
            prop_assert_eq!(lines[1], "  old: (nothing)");
            prop_assert!(lines[2].starts_with("  new: \"") && lines[2].ends_with('"'), "{}", text);
        }
    }
}

#[test]
fn what_is_no_signature_is_said_to_be_none() {
    for text in [
        "",
        "hello",
        "-----BEGIN SSH SIGNATURE-----",
        "-----BEGIN SSH SIGNATURE-----\n!\n-----END SSH SIGNATURE-----",
    ] {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert!(signature::Signed::read(&lines).is_err(), "{text}");
        examine(text);
    }
    assert!(signature::Signed::read(&["x".repeat(10_000)]).is_err());
}
