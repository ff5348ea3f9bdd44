//! The arguments in a parameter file, by the rules of Python's argparse: one argument a
//! line, `--name=value` or the value on the next line, long names shortened as far as
//! they stay clear, short ones with the value attached.

use zeroize::Zeroizing;

/// An option or a command that was understood.
pub(super) struct Argument {
    /// Where it stands, counted from 1.
    pub(super) line: usize,
    pub(super) option: Known,
    /// Its value; empty for those that have none. It may be a secret.
    pub(super) value: Zeroizing<String>,
}

/// Something that was not understood. Its text may be a secret and is not kept, but for
/// what is certainly a name.
pub(super) struct Odd {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) why: &'static str,
}

/// The device an option belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The client itself.
    Main,
    /// `yubikey_mass_enroll`.
    YubiKey,
    /// `nitrokey_mass_enroll`.
    Nitrokey,
    /// Both of them.
    Either,
}

macro_rules! known {
    ($($name:ident $long:literal $short:literal $place:ident $value:literal,)*) => {
        /// The options and commands of privacyideaadm 1 to 3 that have to do with enrolling keys.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Known { $($name,)* }

        impl Known {
            const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// How it is written.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$name => $long,)* }
            }

            const fn short(self) -> &'static str {
                match self { $(Self::$name => $short,)* }
            }

            /// Where it belongs.
            pub(super) const fn place(self) -> Place {
                match self { $(Self::$name => Place::$place,)* }
            }

            const fn takes_value(self) -> bool {
                match self { $(Self::$name => $value,)* }
            }
        }
    };
}

// The option's name, its short form, whose it is, whether a value follows.
known! {
    Url "--url" "-U" Main true,
    Admin "--admin" "-a" Main true,
    AdminRealm "--adminrealm" "-r" Main true,
    Password "--password" "-p" Main true,
    NoSslCheck "--nosslcheck" "-n" Main false,
    PiAuthorization "--pi-authorization" "" Main false,
    Token "token" "" Main false,
    EnrollYubiKey "yubikey_mass_enroll" "" YubiKey false,
    EnrollNitrokey "nitrokey_mass_enroll" "" Nitrokey false,
    YubiMode "--yubimode" "" YubiKey true,
    YubiSlot "--yubislot" "" YubiKey true,
    YubiCr "--yubicr" "" YubiKey false,
    YubiPrefix "--yubiprefix" "" YubiKey true,
    YubiPrefixRandom "--yubiprefixrandom" "" YubiKey true,
    YubiPrefixSerial "--yubiprefixserial" "" YubiKey false,
    Access "--access" "" YubiKey true,
    NewAccess "--newaccess" "" YubiKey true,
    FileName "--filename" "" YubiKey true,
    Realm "--realm" "" YubiKey true,
    Description "--description" "" Either true,
    NitroMode "--nitromode" "" Nitrokey true,
    NitroSlot "--slot" "" Nitrokey true,
    NitroDigits "--digits" "" Nitrokey true,
    NitroPin "--pin" "" Nitrokey true,
    NitroSlotName "--slotname" "" Nitrokey true,
}

/// Reads the lines of a file.
pub(super) fn read(text: &str) -> (Vec<Argument>, Vec<Odd>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = (1_usize..).zip(text.lines().map(str::trim)).peekable();
    let (mut read, mut odd) = (Vec::new(), Vec::new());
    while let Some((line, text)) = lines.next() {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if text.starts_with('@') {
            let why = "it refers to another file; import that one, too, and put the two together";
            odd.push(Odd { line, name: "@".to_owned(), why });
            continue;
        }
        match option(text) {
            Ok((option, attached)) if option.takes_value() => {
                let value = match attached {
                    Some(value) => Some(value),
                    // An option where its value should be: the value was forgotten.
                    None => lines.next_if(|(_, next)| option_like(next).is_none()).map(|(_, next)| next),
                };
                match value {
                    Some(value) => {
                        let value = Zeroizing::new(value.to_owned());
                        read.push(Argument { line, option, value });
                    }
                    None => {
                        odd.push(Odd { line, name: option.name().to_owned(), why: "its value is missing" })
                    }
                }
            }
            Ok((option, None)) => read.push(Argument { line, option, value: Zeroizing::default() }),
            Ok((option, Some(_))) => {
                odd.push(Odd { line, name: option.name().to_owned(), why: "it takes no value" });
            }
            Err(why) => odd.push(Odd { line, name: harmless_name(text), why }),
        }
    }
    (read, odd)
}

/// The option that a line is, and the value on the same line.
fn option(text: &str) -> Result<(Known, Option<&str>), &'static str> {
    let unknown = "it is none of the old client's options for enrolling keys";
    if !text.starts_with('-') {
        let word = text.replace('-', "_");
        let command = Known::ALL.iter().find(|known| known.name() == word);
        return command.map(|known| (*known, None)).ok_or(unknown);
    }
    let (name, value) = match text.find(['=', ' ', '\t']).and_then(|at| text.split_at_checked(at)) {
        Some((name, rest)) => (name, Some(rest.trim_start_matches(['=', ' ', '\t']).trim())),
        None => (text, None),
    };
    if name.starts_with("--") {
        return long(name).map(|known| (known, value));
    }
    let Some((short, attached)) = text.split_at_checked(2) else { return Err(unknown) };
    let known = Known::ALL.iter().find(|known| known.short() == short).ok_or(unknown)?;
    let attached = attached.trim_start_matches(['=', ' ', '\t']);
    Ok((*known, Some(attached).filter(|text| !text.is_empty())))
}

/// A long option, also when it is shortened. Versions differ in case (`--yubiCR`).
fn long(name: &str) -> Result<Known, &'static str> {
    let name = name.to_ascii_lowercase();
    if let Some(known) = Known::ALL.iter().find(|known| known.name() == name) {
        return Ok(*known);
    }
    let mut meant = Known::ALL.iter().filter(|known| name.len() > 2 && known.name().starts_with(&name));
    match (meant.next(), meant.next()) {
        (Some(known), None) => Ok(*known),
        (Some(_), Some(_)) => Err("it is short for more than one option"),
        (None, _) => Err("it is none of the old client's options for enrolling keys"),
    }
}

/// Whether a line is an option rather than a value: argparse takes what begins with `-`
/// for one; a value that does, such as a password, is only taken here when it is unknown.
fn option_like(text: &str) -> Option<Known> {
    text.starts_with('-').then(|| option(text).ok())?.map(|(known, _)| known)
}

/// The name of an unknown option, when it cannot be anything else.
fn harmless_name(text: &str) -> String {
    let Some(rest) = text.strip_prefix("--") else { return String::new() };
    // A text such as a password may begin with "--" as well. Names of options are short words.
    let Some((name, _)) = rest.split_once('=') else { return String::new() };
    if (1..=24).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'-')
    {
        return format!("--{name}");
    }
    String::new()
}
