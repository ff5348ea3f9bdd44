#![cfg(test)]
//! The tables of docs/keys.md are made of what the code finds out about keys and says of them.
//!
//! `UPDATE_DOCS=1 cargo test -p twins --test keys_page` writes them anew.

use std::fmt::Write;
use std::path::Path;

use keys::device::{
    Ability, Answer, Family, Firmware, Guard, HashAlgorithm, KeyInfo, Kind, Lock, Operation, ProofWay,
};
use keys::identify::{Verdict, known};
use keys::secret::Entropy;
use twins::key::KeyTwin;
use twins::nitrokey_pro::{self, NitrokeyProTwin, Product};
use twins::nitrokey3::{self, SecretsTwin};
use twins::shared::SharedKey;
use twins::yubikey::{self, VENDOR, YubiKeyTwin};

const BEGIN: &str = "<!-- keys: written by appliance/twins/tests/keys_page.rs -->\n";
const END: &str = "<!-- end of keys -->\n";

fn inspect(ids: (u16, u16), twin: impl KeyTwin) -> KeyInfo {
    let key = SharedKey::new(twin);
    let entropy = Entropy::from_array(&[7; 32]);
    let mut conversation = keys::identify::start(ids, None, Operation::Inspect, &entropy).unwrap();
    match keys::wire::run(conversation.as_mut(), &mut key.clone(), &mut key.clone(), |_| {}).unwrap() {
        Answer::Inspected(info) => info,
        _ => panic!("inspection was answered by something else"),
    }
}

/// Every kind of key whose twin there is, from the oldest firmware to the newest.
fn all_keys() -> Vec<KeyInfo> {
    let mut all = Vec::new();
    for (major, minors) in [(2, 0..=4), (3, 0..=5), (4, 0..=4), (5, 0..=7)] {
        for minor in minors {
            let Ok(model) = yubikey::Model::new(Firmware::new(major, minor, 0), 12_345_678) else { continue };
            let twin = YubiKeyTwin::new(model, 1);
            let ids = (VENDOR, twin.product_id().unwrap());
            all.push(inspect(ids, twin));
        }
    }
    for (product, minors) in
        [(Product::Pro, 7..=15), (Product::LibremKey, 7..=15), (Product::Storage, 50..=57)]
    {
        for minor in minors {
            let model = nitrokey_pro::Model::new(product, Firmware::new(0, minor, 0), 0x5555).unwrap();
            all.push(inspect(model.usb_ids(), NitrokeyProTwin::new(model, 1)));
        }
    }
    let keys::device::Firmware { major, minor, build } = keys::nitrokey3::firmware::OLDEST;
    let model = nitrokey3::Model { serial: 0x1122_3344, firmware: Some([major, minor, build]), seed: 1 };
    all.push(inspect(nitrokey3::Model::USB_IDS, SecretsTwin::new(model)));
    all
}

/// A row of the table but for the firmware: what is equal for neighbours is one row.
fn row(info: &KeyInfo) -> [String; 5] {
    let mut kinds: Vec<(Kind, String, Vec<u8>)> = Vec::new();
    let named = info.named.iter().flat_map(|named| named.abilities.iter().map(|ability| (None, ability)));
    let numbered = info
        .slots
        .iter()
        .flat_map(|state| state.abilities.iter().map(move |ability| (Some(state.slot.0), ability)));
    let mut proofs = Vec::new();
    let mut guards = Vec::new();
    for (slot, ability) in named.chain(numbered) {
        let text = holds(ability);
        match kinds.iter_mut().find(|(kind, ..)| *kind == ability.kind) {
            Some((_, _, slots)) => slots.extend(slot),
            None => kinds.push((ability.kind, text, slot.into_iter().collect())),
        }
        push(&mut proofs, proof(ability.proof));
        ability.guards.iter().for_each(|guard| push(&mut guards, guard_word(*guard)));
    }
    kinds.sort_by_key(|(kind, ..)| *kind);
    let holds = kinds
        .iter()
        .map(|(_, text, slots)| match slots.as_slice() {
            [] => format!("{text}, by name"),
            [only] => format!("{text}, slot {only}"),
            [first, .., last] => format!("{text}, slots {first} to {last}"),
        })
        .collect::<Vec<_>>()
        .join("; ");
    [name(info), holds, proofs.join(", "), guards.join(", "), unlocked(info).to_owned()]
}

fn push(list: &mut Vec<String>, text: impl Into<String>) {
    let text = text.into();
    if !list.contains(&text) {
        list.push(text);
    }
}

fn name(info: &KeyInfo) -> String {
    match (info.family, info.firmware.major) {
        (Family::YubiKeyOtp, 2) => "YubiKey Standard, Nano".to_owned(),
        (Family::YubiKeyOtp, 3) => "YubiKey NEO".to_owned(),
        (Family::YubiKeyOtp, 4) => "YubiKey 4, Plus, Edge".to_owned(),
        (Family::YubiKeyOtp, _) => "YubiKey 5".to_owned(),
        (Family::NitrokeyPro, _) if info.model == "Nitrokey Pro" => "Nitrokey Pro, Pro 2".to_owned(),
        (Family::NitrokeyPro, _) if info.model == "Nitrokey Storage" => {
            "Nitrokey Storage, Storage 2".to_owned()
        }
        _ => info.model.clone(),
    }
}

fn holds(ability: &Ability) -> String {
    let kind = match ability.kind {
        Kind::Hotp => "HOTP",
        Kind::Totp => "TOTP",
        Kind::YubicoOtp => return "Yubico OTP".to_owned(),
        Kind::StaticPassword => {
            return format!("static password of up to {} letters", ability.longest_seed);
        }
        Kind::ChallengeResponse => "challenge-response",
    };
    let digits = if ability.eight_digits { "6 or 8 digits" } else { "6 digits" };
    let hash = match ability.best_hash {
        HashAlgorithm::Sha1 => "SHA-1",
        HashAlgorithm::Sha256 => "SHA-1 or SHA-256",
        HashAlgorithm::Sha512 => "SHA-1 to SHA-512",
    };
    format!("{kind} ({digits}, {hash}, seeds up to {} bytes)", ability.longest_seed)
}

fn proof(way: ProofWay) -> &'static str {
    match way {
        ProofWay::TypedShort => "types it after a short touch",
        ProofWay::TypedLong => "types it after a long touch",
        ProofWay::Returned { .. } => "returns it when asked",
        ProofWay::BehindPin => "returns it after its PIN",
    }
}

fn guard_word(guard: Guard) -> &'static str {
    match guard {
        Guard::Nothing => "nothing",
        Guard::Touch => "touch",
        Guard::Pin => "PIN (not by the station)",
    }
}

fn unlocked(info: &KeyInfo) -> &'static str {
    match info.lock {
        Lock::AdminPin { .. } => "administrator's PIN",
        _ if info.family == Family::YubiKeyOtp => "access code of the slot, if it has one",
        _ => "nothing; a deletion wants a touch",
    }
}

fn tables() -> String {
    let mut rows: Vec<([String; 5], Firmware, Firmware)> = Vec::new();
    for info in all_keys() {
        let new = row(&info);
        match rows.last_mut() {
            Some((row, _, last)) if *row == new => *last = info.firmware,
            _ => rows.push((new, info.firmware, info.firmware)),
        }
    }
    let mut text = String::from(
        "| key | firmware | what it holds | its code | can want | written after |\n|---|---|---|---|---|---|\n",
    );
    for ([name, holds, proof, guards, unlocked], first, last) in rows {
        let firmware = if name == "Nitrokey 3" {
            format!("{first} and later")
        } else if first == last {
            short(first)
        } else {
            format!("{} to {}", short(first), short(last))
        };
        let guards = if guards.is_empty() { "–".to_owned() } else { guards };
        writeln!(text, "| {name} | {firmware} | {holds} | {proof} | {guards} | {unlocked} |").unwrap();
    }
    text += "\n## Known by their USB ids\n\n| ids | device | the station |\n|---|---|---|\n";
    for ((vendor, product), device) in known() {
        let verdict = match device.verdict {
            Verdict::Speaks(_) => "enrolls it".to_owned(),
            Verdict::SwitchedOff(what) => format!("refuses it: {what} is switched off"),
            Verdict::Refused(why) => format!("refuses it: {why}"),
        };
        writeln!(text, "| {vendor:04x}:{product:04x} | {} | {verdict} |", device.name).unwrap();
    }
    text
}

fn short(firmware: Firmware) -> String {
    format!("{}.{}", firmware.major, firmware.minor)
}

#[test]
fn the_page_of_keys_is_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/keys.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the tables");
    let (_, after) = rest.split_once(END).expect("the place for the tables ends");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", tables());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(page == wanted, "docs/keys.md is stale: UPDATE_DOCS=1 cargo test -p twins --test keys_page");
}
