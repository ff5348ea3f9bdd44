//! `key-twin`: a security key in software, behind the line protocol.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use keys::device::{Firmware, Kind, Slot};
use tokio::signal::unix::{SignalKind, signal};

use twins::key::KeyTwin;
use twins::line::{Listener, Pace, Server};
use twins::nitrokey_pro::{self, NitrokeyProTwin, Place};
use twins::nitrokey3::{self, SecretsTwin};
use twins::usbredir::{KeyDevice, Product as UsbProduct};
use twins::yubikey::{Faults, Foreign, KeptTwin, Model, YubiKeyTwin};

#[path = "key-twin/usb.rs"]
mod usb;

/// A security key in software, for tests and for trying the station out.
///
/// The twin behaves as the real key does, byte for byte, and is spoken to in lines
/// of text: one request per line, one reply per line. Without --listen it reads
/// requests from standard input and ends when that does; with --listen it serves
/// any number of clients on a Unix socket until it gets SIGTERM or SIGINT, and
/// takes the socket away when it ends. With --usbredir it is a USB device of an
/// emulated machine instead, with the descriptors of the real key.
#[derive(Parser)]
#[command(name = "key-twin", version, after_long_help = LINES)]
struct Cli {
    #[command(subcommand)]
    key: Key,
}

#[derive(Subcommand)]
enum Key {
    /// A YubiKey's OTP application: two slots, feature reports, keyboard, CCID
    #[command(after_long_help = format!("{LINES}\n\nFAULTS\n{}", indented(Faults::KNOWN)))]
    Yubikey(YubiKey),
    /// A Nitrokey Pro, Storage or Librem Key: HOTP and TOTP slots, feature reports
    #[command(after_long_help = format!("{LINES}\n\nFAULTS\n{}", indented(nitrokey_pro::Faults::KNOWN)))]
    NitrokeyPro(NitrokeyPro),
    /// A Nitrokey 3's Secrets application: HOTP and TOTP by name, CTAPHID packets
    ///
    /// A small twin that answers as Nitrokey's own code does. That code itself, with its
    /// FIDO2, runs in the program nitrokey3-twin (appliance/nitrokey3-twin).
    #[command(after_long_help = format!("{LINES}\n\nFAULTS\n{}", indented(nitrokey3::Faults::KNOWN)))]
    Nitrokey3(Nitrokey3),
    /// A Nitrokey 3 that another program serves in lines, as a USB device
    #[command(after_long_help = usb::DESK)]
    Attached(usb::Attached),
    /// A USB device that pretends to be a YubiKey and lies, made from a seed
    #[command(after_long_help = usb::DESK)]
    Hostile(usb::Hostile),
}

const LINES: &str = "\
REQUESTS AND REPLIES (hexadecimal is lower case, without report id)
  SET_FEATURE <hex>   HID SET_REPORT(Feature)             OK
  GET_FEATURE         HID GET_REPORT(Feature)             <hex>
  OUT <hex>           interrupt OUT packet                OK
  IN                  next interrupt IN packet            <hex> or NONE
  APDU <hex>          smart-card command                  <hex>, status word last
  TOUCH 1 | TOUCH 2   short or long press                 REPORTS <hex>,<hex>... (keyboard reports)
  POWER               pull out and plug in again          OK
  ADVANCE <ms>        let the key's time pass             OK
  anything that cannot be done                            ERR <word> <sentence>

EXAMPLE
  $ printf 'GET_FEATURE\\n' | key-twin yubikey --firmware 5.4.3 --serial 12345678 --slot1 empty
  0005040300000500

EXIT STATUS
  0  ended by end of input, SIGTERM or SIGINT
  1  the twin could not be made or served; standard error says why
  2  wrong arguments";

#[derive(Args)]
struct YubiKey {
    /// Firmware, 2.0.0 to 5.7.x
    #[arg(long, value_name = "X.Y.Z", value_parser = firmware, default_value = "5.4.3")]
    firmware: Firmware,

    /// Serial, decimal
    #[arg(long, value_name = "NUMBER", default_value_t = 12_345_678)]
    serial: u32,

    /// USB product id, hexadecimal; says which interfaces are on
    ///
    /// By default every interface of the hardware line: 0010 before firmware 3,
    /// 0116 for 3.x, 0410 for 4.0, 0403 for 4.1, 0407 otherwise.
    #[arg(long, value_name = "HEX", value_parser = product_id)]
    product_id: Option<u16>,

    /// What slot 1 holds when the key is new
    #[arg(long, value_enum, default_value_t = Content::Factory)]
    slot1: Content,

    /// What slot 2 holds when the key is new
    #[arg(long, value_enum, default_value_t = Content::Empty)]
    slot2: Content,

    /// File with the access code of slot 1: 12 hexadecimal digits; the slot is occupied
    #[arg(long, value_name = "FILE")]
    access_code_slot1: Option<PathBuf>,

    /// File with the access code of slot 2
    #[arg(long, value_name = "FILE")]
    access_code_slot2: Option<PathBuf>,

    /// Hide the serial, as slots do that were written without the flag for it
    ///
    /// A key without any occupied slot tells its serial all the same.
    #[arg(long)]
    no_serial: bool,

    /// Where all that is random about the key comes from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Keep the key's memory in this file, across runs
    ///
    /// When the file exists, what it says goes before --slot1, --slot2,
    /// --access-code-slot* and --no-serial. Firmware and serial must be its own.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Something that goes wrong, see FAULTS in --help; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,

    /// Serve a Unix socket instead of standard input and output
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,

    #[command(flatten)]
    usb: usb::Usb,

    /// How the key's time passes
    #[arg(long, value_enum, default_value_t = Clock::Real)]
    clock: Clock,
}

#[derive(Args)]
struct NitrokeyPro {
    /// Which product
    #[arg(long, value_enum, default_value_t = Product::Pro)]
    product: Product,

    /// Firmware: 0.7 to 0.15, or 0.50 to 0.57 of a Storage; by default the newest
    #[arg(long, value_name = "X.Y", value_parser = firmware)]
    firmware: Option<Firmware>,

    /// Serial of the smart card inside, hexadecimal
    #[arg(long, value_name = "HEX", value_parser = serial, default_value = "00005555")]
    serial: u32,

    /// A slot that holds a foreign credential, such as hotp0 or totp14; may be repeated
    #[arg(long, value_name = "SLOT", value_parser = place)]
    occupied: Vec<Place>,

    /// Every slot holds a foreign credential
    #[arg(long)]
    full: bool,

    /// File with the administrator's PIN, when it is not 12345678
    #[arg(long, value_name = "FILE")]
    admin_pin_file: Option<PathBuf>,

    /// How often that PIN may still be wrong; 0 is blocked
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    admin_tries: u8,

    /// The key gives codes only after its user's PIN
    #[arg(long)]
    user_pin_for_codes: bool,

    /// Where all that is random about the key comes from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Something that goes wrong, see FAULTS in --help; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,

    /// Serve a Unix socket instead of standard input and output
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,

    #[command(flatten)]
    usb: usb::Usb,

    /// How the key's time passes
    #[arg(long, value_enum, default_value_t = Clock::Real)]
    clock: Clock,
}

#[derive(Args)]
struct Nitrokey3 {
    /// Serial, hexadecimal
    #[arg(long, value_name = "HEX", value_parser = serial, default_value = "11223344")]
    serial: u32,

    /// The firmware that it says it has; "none" does not say
    #[arg(long, value_name = "X.Y.Z", default_value = "1.9.0")]
    firmware: String,

    /// It holds as many foreign credentials as there is room for
    #[arg(long)]
    full: bool,

    /// File with its PIN; without it, it has none
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,

    /// How often that PIN may still be wrong; 0 is blocked
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u8).range(0..=8))]
    pin_tries: u8,

    /// Where all that is random about the key comes from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Something that goes wrong, see FAULTS in --help; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,

    /// Serve a Unix socket instead of standard input and output
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,

    #[command(flatten)]
    usb: usb::Usb,

    /// How the key's time passes
    #[arg(long, value_enum, default_value_t = Clock::Real)]
    clock: Clock,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Product {
    /// Nitrokey Pro or Pro 2
    Pro,
    /// Nitrokey Storage or Storage 2
    Storage,
    /// Purism Librem Key
    LibremKey,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Content {
    /// Nothing
    Empty,
    /// A Yubico OTP of the maker, as keys are sold with
    Factory,
    /// The same
    Occupied,
    /// A Yubico OTP that somebody else made: its public id begins with vv
    Own,
    /// An HOTP credential that somebody else made
    Hotp,
    /// A static password
    Password,
    /// A secret for challenge and response, which types nothing
    Challenge,
}

impl Content {
    const fn foreign(self) -> Option<Foreign> {
        Some(match self {
            Self::Empty => return None,
            Self::Factory | Self::Occupied => Foreign::Factory,
            Self::Own => Foreign::Own,
            Self::Hotp => Foreign::Hotp,
            Self::Password => Foreign::Password,
            Self::Challenge => Foreign::Challenge,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// With the computer's clock, and by ADVANCE
    Real,
    /// By ADVANCE alone, so that a test repeats exactly
    Manual,
}

impl Clock {
    const fn pace(self) -> Pace {
        match self {
            Self::Real => Pace::Real,
            Self::Manual => Pace::Manual,
        }
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().key {
        Key::Yubikey(arguments) => run(&arguments),
        Key::NitrokeyPro(arguments) => run_nitrokey_pro(&arguments),
        Key::Nitrokey3(arguments) => run_nitrokey3(&arguments),
        Key::Attached(arguments) => usb::run_attached(&arguments),
        Key::Hostile(arguments) => usb::run_hostile(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("key-twin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &YubiKey) -> Result<(), Box<dyn Error>> {
    let mut model = Model::new(arguments.firmware, arguments.serial)?;
    if let Some(product_id) = arguments.product_id {
        model = model.with_product_id(product_id)?;
    }
    let mut faults = Faults::default();
    for fault in &arguments.fault {
        faults.set(fault)?;
    }
    let new = new_key(arguments, &model)?;
    let pace = arguments.clock.pace();
    let sockets = arguments.usb.sockets();
    let product = model.product_id(model.interfaces).ok_or("no YubiKey has these interfaces");
    let on_usb = |twin: &YubiKeyTwin| {
        product.map(|product| UsbProduct::YubiKey(product, model.bcd_device(), twin.usb_serial()))
    };
    let Some(path) = &arguments.state else {
        let mut twin = new;
        twin.set_faults(faults);
        return match sockets {
            Some(sockets) => {
                let product = on_usb(&twin)?;
                usb::export(KeyDevice::new(twin, product), &sockets)
            }
            None => serve(Server::new(twin, pace), arguments.listen.as_deref()),
        };
    };
    let mut kept = KeptTwin::open(path, &model, arguments.seed, move || new)?;
    kept.twin().set_faults(faults);
    match sockets {
        Some(sockets) => {
            let product = on_usb(kept.twin())?;
            usb::export(KeyDevice::new(kept, product), &sockets)
        }
        None => serve(Server::new(kept, pace), arguments.listen.as_deref()),
    }
}

fn new_key(arguments: &YubiKey, model: &Model) -> Result<YubiKeyTwin, Box<dyn Error>> {
    let mut twin = YubiKeyTwin::new(model.clone(), arguments.seed);
    let slots = [
        (Slot(1), arguments.slot1, &arguments.access_code_slot1),
        (Slot(2), arguments.slot2, &arguments.access_code_slot2),
    ];
    for (slot, content, code) in slots {
        let code = code.as_deref().map(access_code).transpose()?;
        let foreign = content.foreign().or_else(|| code.is_some().then_some(Foreign::Factory));
        if let Some(foreign) = foreign {
            twin.hold(slot, foreign, code);
        }
    }
    if arguments.no_serial {
        twin.hide_serial();
    }
    Ok(twin)
}

fn run_nitrokey_pro(arguments: &NitrokeyPro) -> Result<(), Box<dyn Error>> {
    let (product, newest) = match arguments.product {
        Product::Pro => (nitrokey_pro::Product::Pro, 15),
        Product::Storage => (nitrokey_pro::Product::Storage, 57),
        Product::LibremKey => (nitrokey_pro::Product::LibremKey, 15),
    };
    let firmware = arguments.firmware.unwrap_or(Firmware::new(0, newest, 0));
    let model = nitrokey_pro::Model::new(product, firmware, arguments.serial)?;
    let mut faults = nitrokey_pro::Faults::default();
    for fault in &arguments.fault {
        faults.set(fault)?;
    }
    let mut twin = NitrokeyProTwin::new(model, arguments.seed);
    let every = [(Kind::Hotp, 3), (Kind::Totp, 15)]
        .into_iter()
        .flat_map(|(kind, count)| (0..count).map(move |slot| Place { kind, slot: Slot(slot) }));
    for place in every.filter(|place| arguments.full || arguments.occupied.contains(place)) {
        twin.occupy(place, b"a foreign credential");
    }
    if let Some(path) = &arguments.admin_pin_file {
        twin.set_admin_pin(&first_line(path)?, 3);
    }
    twin.set_admin_tries(arguments.admin_tries);
    twin.set_user_pin_for_codes(arguments.user_pin_for_codes);
    twin.set_faults(faults);
    if let Some(sockets) = arguments.usb.sockets() {
        let product = UsbProduct::NitrokeyPro(model.usb_ids(), arguments.serial);
        return usb::export(KeyDevice::new(twin, product), &sockets);
    }
    serve(Server::new(twin, arguments.clock.pace()), arguments.listen.as_deref())
}

fn run_nitrokey3(arguments: &Nitrokey3) -> Result<(), Box<dyn Error>> {
    let firmware = match arguments.firmware.as_str() {
        "none" => None,
        text => firmware(text).map(|firmware| Some([firmware.major, firmware.minor, firmware.build]))?,
    };
    let mut faults = nitrokey3::Faults::default();
    for fault in &arguments.fault {
        faults.set(fault)?;
    }
    let model = nitrokey3::Model { serial: arguments.serial, firmware, seed: arguments.seed };
    let mut twin = SecretsTwin::new(model);
    if arguments.full {
        twin.fill();
    }
    if let Some(path) = &arguments.pin_file {
        twin.set_pin(&first_line(path)?, arguments.pin_tries);
    }
    twin.set_faults(faults);
    if let Some(sockets) = arguments.usb.sockets() {
        return usb::export(KeyDevice::new(twin, UsbProduct::Nitrokey3), &sockets);
    }
    serve(Server::new(twin, arguments.clock.pace()), arguments.listen.as_deref())
}

fn first_line(path: &Path) -> Result<String, Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn serve<T: KeyTwin + 'static>(server: Server<T>, listen: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let listener = listen.map(Listener::bind).transpose()?;
        let served = async {
            match &listener {
                Some(listener) => server.serve(listener).await,
                None => server.talk(tokio::io::stdin(), tokio::io::stdout()).await,
            }
        };
        tokio::select! {
            result = served => result,
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    });
    // A read of standard input cannot be called off; do not wait for it.
    runtime.shutdown_background();
    Ok(result?)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn firmware(text: &str) -> Result<Firmware, String> {
    let numbers: Vec<u8> = text.split('.').filter_map(|number| number.parse().ok()).collect();
    match numbers.as_slice() {
        [major, minor] if text.split('.').count() == 2 => Ok(Firmware::new(*major, *minor, 0)),
        [major, minor, build] if text.split('.').count() == 3 => Ok(Firmware::new(*major, *minor, *build)),
        _ => Err("a firmware is two or three numbers with dots between them".to_owned()),
    }
}

fn serial(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 16).map_err(|_| "a serial is up to eight hexadecimal digits".to_owned())
}

fn place(text: &str) -> Result<Place, String> {
    let (kind, number) = match (text.strip_prefix("hotp"), text.strip_prefix("totp")) {
        (Some(number), _) => (Kind::Hotp, number),
        (_, Some(number)) => (Kind::Totp, number),
        _ => (Kind::Hotp, ""),
    };
    let most = if kind == Kind::Hotp { 2 } else { 14 };
    match number.parse() {
        Ok(slot) if slot <= most => Ok(Place { kind, slot: Slot(slot) }),
        _ => Err("a slot is hotp0 to hotp2 or totp0 to totp14".to_owned()),
    }
}

fn product_id(text: &str) -> Result<u16, String> {
    u16::from_str_radix(text, 16).map_err(|_| "a product id is four hexadecimal digits".to_owned())
}

fn access_code(path: &Path) -> Result<[u8; 6], Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let code = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
    code.and_then(|code| code.try_into().ok())
        .ok_or_else(|| format!("{} does not hold 12 hexadecimal digits", path.display()).into())
}
