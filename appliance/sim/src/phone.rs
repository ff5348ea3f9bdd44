//! `station-sim phone`: a phone at the desk, played by a person or by this program.

use std::future::Future;
use std::io::{BufRead, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use data_encoding::BASE32_NOPAD;
use dispatch::clock::SystemClock;
use dispatch::driver::{Cancel, Station};
use dispatch::phone::Terminal;
use dispatch::store::Store;
use keys::device::{Digits, HashAlgorithm};
use keys::otp;
use keys::secret::Seed;
use privacyidea::{TwoStepParameters, derive_seed, encode_base32check};
use station::engine::enrollment::{Ending, Order};
use station::engine::phone::{PhoneCode, Question};
use station::engine::record::Actor;
use station::papers::people::Named;
use station::profile::{Profile, TwoStep};
use zeroize::Zeroizing;

use crate::args::{Server, Touch};
use crate::enroll;
use crate::server;

/// Options of `phone`.
#[derive(Debug, clap::Args)]
pub struct Phone {
    /// Whose phone it is.
    #[arg(long = "for", default_value = "alice@office", value_name = "USER@REALM")]
    pub person: String,

    /// Whether app and server make the secret together.
    #[arg(long, value_enum, default_value_t = Steps::Never)]
    pub two_step: Steps,

    /// The profile, as in `enroll`.
    #[arg(long, default_value = "totp6", value_name = "NAME")]
    pub profile: String,

    /// Who is the app: `auto`, this program; `ask`, you.
    #[arg(long, value_enum, default_value_t = Touch::Auto)]
    pub touch: Touch,

    /// How long each answer may take, in seconds.
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub patience: u64,

    /// For terminals that write dark on light.
    #[arg(long)]
    pub inverted: bool,

    /// Print what the QR code says, too. It is the token's secret.
    #[arg(long)]
    pub address: bool,

    #[command(flatten)]
    pub server: Server,
}

/// Whether a secret is made in two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Steps {
    /// In one.
    Never,
    /// In two where the server offers it.
    WhenOffered,
    /// In two, or not at all.
    Force,
}

/// Carries the command out; true when the phone is enrolled.
pub fn run(args: &Phone) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(enroll(args));
    // A thread that waits for Enter cannot be woken; it ends with the process.
    runtime.shutdown_background();
    result
}

async fn enroll(args: &Phone) -> anyhow::Result<bool> {
    let server = server::open(&args.server).await?;
    let store = Store::in_memory()?;
    let clock = SystemClock::new();
    let station = Station { server: Arc::clone(&server.port), store, clock, watcher: Arc::new(|_event| {}) };
    let two_step = match args.two_step {
        Steps::Never => TwoStep::Never,
        Steps::WhenOffered => TwoStep::WhenOffered,
        Steps::Force => TwoStep::Force,
    };
    let profile = Profile { two_step, ..enroll::profile(&args.profile, None)? };
    let person = Named::parse(&args.person).ok().and_then(|named| named.unasked());
    let person = Some(person.context("--for is not of the form USER@REALM")?);
    let actor = Actor::Operator(std::env::var("USER").unwrap_or_else(|_| "sim".to_owned()));
    let order = Order { person, ..Order::new("station-sim", "phone", actor, "phone", profile) };
    let mut service = Service { inverted: args.inverted, address: args.address, app: None, clock };
    let patience = Duration::from_secs(args.patience);
    let outcome = match args.touch {
        Touch::Auto => station.enroll_phone(order, patience, &mut service, Cancel::never()).await,
        Touch::Ask => {
            let mut person = AtTheDesk(service);
            station.enroll_phone(order, patience, &mut person, Cancel::never()).await
        }
    };
    let enrolled = matches!(outcome.ending, Ending::Enrolled(_));
    let token = outcome.token.map(|token| token.to_string()).unwrap_or_default();
    match outcome.ending {
        Ending::Enrolled(proof) => println!(
            "enrolled {token} for {} (two steps: {}, verified by policy: {})",
            args.person, proof.two_step, proof.verified_by_policy
        ),
        Ending::Refused(refusal) => println!("refused: {refusal}"),
        Ending::Undone(refusal) => println!("undone: {token}: {refusal}"),
        Ending::Postponed(refusal) | Ending::Quarantined(refusal) => println!("left: {token}: {refusal}"),
        _ => println!("ended otherwise: {token}"),
    }
    Ok(enrolled)
}

/// A terminal with an app beside it.
struct Service {
    inverted: bool,
    address: bool,
    app: Option<App>,
    clock: SystemClock,
}

/// What an app makes of a QR code.
struct App {
    digits: Digits,
    seed: Seed,
    component: Option<Zeroizing<String>>,
}

impl Service {
    fn print(&self, code: &PhoneCode) {
        print!("{}", code.half_blocks(self.inverted).as_str());
        if self.address {
            println!("{}", code.uri());
        }
    }
}

impl Terminal for Service {
    fn show(&mut self, code: &PhoneCode) -> Result<(), String> {
        self.print(code);
        self.app = Some(App::of(code.uri()).map_err(|error| error.to_string())?);
        Ok(())
    }

    fn ask<'a>(
        &'a mut self,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Option<Zeroizing<String>>> + Send + 'a>> {
        Box::pin(async move {
            let app = self.app.as_ref()?;
            match question {
                Question::Component { .. } => app.component.clone(),
                _ => {
                    let unix = self.clock.now().unix.as_secs();
                    Some(Zeroizing::new(otp::totp(&app.seed, unix, 30, app.digits, HashAlgorithm::Sha1)))
                }
            }
        })
    }
}

impl App {
    fn of(uri: &str) -> anyhow::Result<Self> {
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        let field = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
                .map(|(_, value)| value)
        };
        let number = |name: &str| field(name).and_then(|value| value.parse::<u32>().ok());
        let digits = if number("digits") == Some(8) { Digits::Eight } else { Digits::Six };
        let secret = field("secret").and_then(base32).context("there is no secret in the code")?;
        let (Some(size), Some(output), Some(rounds)) =
            (number("2step_salt"), number("2step_output"), number("2step_difficulty"))
        else {
            return Ok(Self { digits, seed: Seed::new(&secret)?, component: None });
        };
        let of = TwoStepParameters {
            client_size: usize::try_from(size)?,
            output_size: usize::try_from(output)?,
            rounds,
        };
        let part = Seed::random(of.client_size, &mut rand::rand_core::UnwrapErr(rand::rngs::SysRng));
        let seed = derive_seed(&secret, part.expose(), &of).map_err(|error| anyhow!("{error}"))?;
        let component = Zeroizing::new(encode_base32check(part.expose()).reveal().to_owned());
        Ok(Self { digits, seed: Seed::new(seed.reveal())?, component: Some(component) })
    }
}

/// What a QR code writes of a secret: base32 (RFC 4648, section 6) without its padding.
pub(crate) fn base32(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    BASE32_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok().map(Zeroizing::new)
}

/// A terminal with a person in front of it.
struct AtTheDesk(Service);

impl Terminal for AtTheDesk {
    fn show(&mut self, code: &PhoneCode) -> Result<(), String> {
        self.0.print(code);
        std::io::stdout().flush().map_err(|error| error.to_string())
    }

    fn ask<'a>(
        &'a mut self,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Option<Zeroizing<String>>> + Send + 'a>> {
        match question {
            Question::Component { letters, typo } => {
                if let Some(typo) = typo {
                    println!("{typo}");
                }
                println!("the app's part, {letters} letters:");
            }
            Question::Code { wrong } => {
                if let Some(wrong) = wrong {
                    println!("{wrong}");
                }
                println!("the code that the app shows:");
            }
        }
        Box::pin(async {
            let line = tokio::task::spawn_blocking(|| {
                let mut line = Zeroizing::new(String::with_capacity(256));
                std::io::stdin().lock().read_line(&mut line).ok().filter(|read| *read > 0)?;
                Some(line)
            });
            line.await.ok().flatten()
        })
    }
}
