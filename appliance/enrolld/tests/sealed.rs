//! What is sealed, and that only whole files are there. Where the environment names the program
//! `age` (`AGE`), its keys (`SEALED_KEYS`) and a Python with python-pskc (`PSKC_PYTHON`), they
//! read every file. The stage `sealed` names them.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use dispatch::clock::SystemClock;
use dispatch::export::{Files, Form};
use dispatch::hand_over::SealedDirectory;
use dispatch::server::ServerPort;
use keys::device::{Digits, HashAlgorithm};
use keys::otp;
use keys::secret::{AccessCode, AesKey, Pin, PrivateId, Seed};
use keys::yubikey::yubico_otp::Token;
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::Recipients;
use station::engine::record::EnrollmentId;
use station::engine::server::{
    Person, Registration, ServerAnswer, ServerCall, ServerFault, TokenSecret, Verdict,
};
use station::refusal::Code;
use station::token::{TokenKind, TokenSerial};
use zeroize::Zeroizing;

/// Public keys whose other halves nobody has kept.
const NOBODY: [&str; 2] = [
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDIEP51a3NvFCkTpMF5ffpbiOeennIsOs6ECEXIq6jy0 test key, opens nothing",
];

/// A directory with `age.key` and `id_ed25519`, for those who can open what they sealed.
fn keys() -> Option<PathBuf> {
    std::env::var_os("SEALED_KEYS").map(PathBuf::from)
}

fn recipients() -> Recipients {
    let Some(keys) = keys() else { return Recipients::parse(NOBODY).unwrap() };
    let read = |name: &str| std::fs::read_to_string(keys.join(name)).unwrap();
    let (age, ssh) = (read("age.key"), read("id_ed25519.pub"));
    let public = age.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    Recipients::parse([public, &ssh]).unwrap()
}

/// What the real program reads, with either key; `None` where nobody named it.
fn opened(sealed: &Path) -> Option<String> {
    let (age, keys) = (std::env::var_os("AGE")?, keys()?);
    let mut texts = ["age.key", "id_ed25519"].map(|key| {
        let run = Command::new(&age).arg("-d").arg("-i").arg(keys.join(key)).arg(sealed).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    });
    assert_eq!(texts[0], texts[1]);
    Some(std::mem::take(&mut texts[0]))
}

fn registration(serial: &str, kind: TokenKind, secret: TokenSecret, prefix: &str) -> Registration {
    Registration {
        serial: TokenSerial::new(serial).unwrap(),
        kind,
        secret,
        digits: Digits::Six,
        hash: HashAlgorithm::Sha1,
        period: 30,
        description: String::new(),
        realm: None,
        pin: None,
        prefix: prefix.to_owned(),
        enrollment: EnrollmentId::random(&mut StdRng::seed_from_u64(3)),
    }
}

async fn accepted(files: &Files, serial: &TokenSerial, code: &str) -> bool {
    let code = Zeroizing::new(code.to_owned());
    match files.call(ServerCall::Check { serial: serial.clone(), code }).await {
        Ok(ServerAnswer::Verdict(verdict)) => verdict == Verdict::Accepted,
        _ => panic!("a check is answered by a verdict"),
    }
}

async fn done(files: &Files, call: ServerCall) {
    assert!(matches!(files.call(call).await, Ok(ServerAnswer::Done)));
}

async fn held(files: &Files, registration: Registration) {
    let call = ServerCall::Register(Box::new(registration));
    assert!(matches!(files.call(call).await, Ok(ServerAnswer::Registered(_))));
}

fn names(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_token_is_written_when_it_counts_with_what_its_proof_told() {
    let directory = tempfile::tempdir().unwrap();
    let sealed_directory = SealedDirectory::open(directory.path(), recipients()).unwrap();
    let files = Files::new(sealed_directory.clone(), Form::Csv, SystemClock::new());
    let aes = AesKey::from_array(&[5; 16]);
    let private_id = PrivateId::from_array(&[1, 2, 3, 4, 5, 6]);
    let typed = Token { private_id, use_counter: 1, timestamp: 9, session_use: 0, random: 7 }
        .encrypt(&[0xff, 1, 2, 3, 4, 5], &aes)
        .text();
    let wanted =
        registration("UBAM00012345_1", TokenKind::Yubikey, TokenSecret::Aes(Arc::new(aes)), "vvcbcdcecfcg");
    let serial = wanted.serial.clone();
    held(&files, wanted.clone()).await;
    assert!(!accepted(&files, &serial, "vvcbcdcecfcgcccccccccccccccccccccccccccccccc").await);
    assert!(accepted(&files, &serial, &typed).await);
    assert!(!accepted(&files, &serial, &typed).await, "a code counts once");
    assert!(names(directory.path()).is_empty(), "nothing is written before the token counts");
    let person = Person { user: "O'Hara, Zoë".into(), realm: "büro".into() };
    done(&files, ServerCall::Enable(serial.clone())).await;
    done(&files, ServerCall::Enable(serial.clone())).await;
    done(&files, ServerCall::Assign { serial: serial.clone(), person, pin: None }).await;
    let name = format!("UBAM00012345_1.yubikey.{}.csv", wanted.enrollment);
    assert_eq!(sealed_directory.names().unwrap(), ["UBAM00012345_1.owner".to_owned(), name.clone()]);
    for name in names(directory.path()) {
        let bytes = std::fs::read(directory.path().join(name)).unwrap();
        assert!(bytes.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n"));
    }
    if let Some(text) = opened(&directory.path().join(format!("{name}.age"))) {
        assert_eq!(
            text,
            "UBAM00012345_1, 05050505050505050505050505050505, yubikey, 44, vvcbcdcecfcg, 010203040506\n"
        );
    }
    // After a restart the token is known by its file, and no other takes its place.
    let again = Files::new(sealed_directory, Form::Csv, SystemClock::new());
    let Ok(ServerAnswer::Token(Some(view))) = again.call(ServerCall::Look(serial.clone())).await else {
        panic!("the token is gone");
    };
    assert_eq!((view.enrollment, view.active), (Some(wanted.enrollment), true));
    let Err(ServerFault::Refused { code, .. }) = again.call(ServerCall::Register(Box::new(wanted))).await
    else {
        panic!("a second token of the same serial");
    };
    assert_eq!(code, Code::SerialTaken);
    done(&again, ServerCall::Delete(serial)).await;
    assert!(names(directory.path()).is_empty());
}

/// The station cannot read it, and the slot stays locked when its token goes: only who opens the file can write it.
#[tokio::test]
async fn the_access_code_of_a_slot_stays_when_its_token_goes() {
    let directory = tempfile::tempdir().unwrap();
    let sealed_directory = SealedDirectory::open(directory.path(), recipients()).unwrap();
    let files = Files::new(sealed_directory.clone(), Form::Csv, SystemClock::new());
    let seed = Arc::new(Seed::new(&[3; 20]).unwrap());
    let wanted = registration("UBOM00000005_1", TokenKind::Hotp, TokenSecret::Seed(Arc::clone(&seed)), "");
    let serial = wanted.serial.clone();
    for round in [1, 2] {
        held(&files, wanted.clone()).await;
        let code = otp::hotp(&seed, 0, Digits::Six, HashAlgorithm::Sha1);
        assert!(accepted(&files, &serial, &code).await);
        done(&files, ServerCall::Enable(serial.clone())).await;
        let code = Arc::new(AccessCode::from_array(&[1, 2, 3, 4, 5, round]));
        done(&files, ServerCall::KeepCode { serial: serial.clone(), code }).await;
        let person = Person { user: "alice".into(), realm: "office".into() };
        done(&files, ServerCall::Assign { serial: serial.clone(), person, pin: None }).await;
        assert_eq!(sealed_directory.names().unwrap().len(), 3);
        done(&files, ServerCall::Delete(serial.clone())).await;
        // And it is in nobody's way: the same key can be enrolled again.
        assert_eq!(sealed_directory.names().unwrap(), ["UBOM00000005_1.access"]);
        assert!(matches!(files.call(ServerCall::Look(serial.clone())).await, Ok(ServerAnswer::Token(None))));
    }
}

#[tokio::test]
async fn every_kind_of_token_is_written_as_pskc_with_what_its_reader_needs() {
    let directory = tempfile::tempdir().unwrap();
    let sealed_directory = SealedDirectory::open(directory.path(), recipients()).unwrap();
    let files = Files::new(sealed_directory, Form::Pskc, SystemClock::new());
    let seed = || Arc::new(Seed::new(b"12345678901234567890").unwrap());
    let hotp = registration("UBOM00012345_2", TokenKind::Hotp, TokenSecret::Seed(seed()), "");
    held(&files, hotp.clone()).await;
    // RFC 4226, appendix D: counter 3.
    assert!(!accepted(&files, &hotp.serial, "969428").await);
    assert!(accepted(&files, &hotp.serial, "969429").await);
    done(&files, ServerCall::Enable(hotp.serial.clone())).await;
    let totp = registration("NK00005555_T0", TokenKind::Totp, TokenSecret::Seed(seed()), "");
    held(&files, totp.clone()).await;
    let unix = SystemClock::new().now().unix.as_secs();
    assert!(
        accepted(&files, &totp.serial, &otp::totp(&seed(), unix, 30, Digits::Six, HashAlgorithm::Sha1)).await
    );
    done(&files, ServerCall::Enable(totp.serial)).await;
    let aes = AesKey::from_array(&[0xa5; 16]);
    let private_id = PrivateId::from_array(&[1, 2, 3, 4, 5, 6]);
    let typed = Token { private_id, use_counter: 2, timestamp: 9, session_use: 3, random: 7 }
        .encrypt(&[0xff, 1, 2, 3, 4, 5], &aes)
        .text();
    let yubico =
        registration("UBAM00012345_1", TokenKind::Yubikey, TokenSecret::Aes(Arc::new(aes)), "vvcbcdcecfcg");
    held(&files, yubico.clone()).await;
    assert!(accepted(&files, &yubico.serial, &typed).await);
    done(&files, ServerCall::Enable(yubico.serial)).await;
    let python = std::env::var_os("PSKC_PYTHON");
    for name in names(directory.path()) {
        let Some(text) = opened(&directory.path().join(&name)) else { continue };
        let Some(python) = &python else { continue };
        let file = directory.path().join("plain");
        std::fs::write(&file, text).unwrap();
        let program = "import sys, pskc\n\
            k = pskc.PSKC(sys.argv[1]).keys[0]\n\
            print(k.id, k.serial, k.algorithm.split(':')[-1], k.secret.hex(), k.counter, k.time_interval, k.response_length)";
        let run = Command::new(python).args(["-c", program]).arg(&file).output().unwrap();
        let read = String::from_utf8(run.stdout).unwrap();
        let seed = "3132333435363738393031323334353637383930";
        let wanted = match name.get(..4) {
            Some("UBOM") => format!("UBOM00012345_2 UBOM00012345_2 hotp {seed} 4 None 6\n"),
            // The next counter: use 2, session 4. Importers make the serial of the id.
            Some("UBAM") => format!(
                "00012345:1 UBAM00012345_1 //www.yubico.com/#yubikey-aes {} {} None 44\n",
                "a5".repeat(16),
                2 * 256 + 4
            ),
            _ => format!("NK00005555_T0 NK00005555_T0 totp {seed} None 30 6\n"),
        };
        assert_eq!(read, wanted, "{}", String::from_utf8_lossy(&run.stderr));
    }
}

#[tokio::test]
async fn a_static_password_is_written_with_its_length() {
    let directory = tempfile::tempdir().unwrap();
    let sealed_directory = SealedDirectory::open(directory.path(), recipients()).unwrap();
    let files = Files::new(sealed_directory, Form::Csv, SystemClock::new());
    let letters = "cbdefghijklnrtuvcbdefghijklnrtuv";
    let password = TokenSecret::Password(Arc::new(Pin::new(Zeroizing::new(letters.to_owned())).unwrap()));
    let wanted = registration("UBSM00012345_2", TokenKind::Password, password, "");
    held(&files, wanted.clone()).await;
    assert!(accepted(&files, &wanted.serial, letters).await);
    done(&files, ServerCall::Enable(wanted.serial)).await;
    let names = names(directory.path());
    assert_eq!(names.len(), 1);
    if let Some(text) = opened(&directory.path().join(&names[0])) {
        assert_eq!(text, format!("UBSM00012345_2, {letters}, pw, 32\n"));
    }
}

#[test]
fn long_texts_and_names_that_lead_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let sealed_directory = SealedDirectory::open(&directory.path().join("new/place"), recipients()).unwrap();
    for length in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let text = "ä".repeat(length / 2) + if length % 2 == 1 { "x" } else { "" };
        sealed_directory.put("long", text.as_bytes()).unwrap();
        if let Some(read) = opened(&directory.path().join("new/place/long.age")) {
            assert_eq!(read, text);
        }
    }
    assert_eq!(sealed_directory.names().unwrap(), ["long"]);
    for name in ["", "../x", "a/b", ".x", "a\0"] {
        assert!(sealed_directory.put(name, b"x").is_err(), "{name}");
    }
    sealed_directory.remove("long").unwrap();
    sealed_directory.remove("long").unwrap();
    assert!(sealed_directory.names().unwrap().is_empty());
}
