//! Runs the cases and says of each what was expected and what came.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use twins::privacyidea::Version;
use twins::privacyidea::tls::Authority;

use crate::Broken;
use crate::cases::{self, Case};
use crate::real::Real;
use crate::site::Site;
use crate::story::Story;

/// How many cases are played at the same time at twins: few that keep a processor busy, and many
/// that wait most of the time.
const BUSY: usize = 6;
const WAITING: usize = 96;
/// From this weight on a case waits more than it does.
const HEAVY: u32 = 3;

/// A case that takes longer is stuck.
const LIMIT: Duration = Duration::from_secs(180);

/// What was asked for on the command line: the options of cargo's own harness, as far as they fit.
#[derive(Default)]
struct Wanted {
    words: Vec<String>,
    /// Cases that are left out: those whose name contains one of these.
    skip: Vec<String>,
    exact: bool,
    list: bool,
    quiet: bool,
    /// Whether twins of the versions in between are tried, too.
    between: bool,
    /// Which part of the cases, and of how many: several servers share the work.
    part: Option<(usize, usize)>,
}

impl Wanted {
    fn from_arguments() -> Result<Self, Broken> {
        let mut wanted = Self::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--exact" => wanted.exact = true,
                "--list" => wanted.list = true,
                "--between" => wanted.between = true,
                "-q" | "--quiet" => wanted.quiet = true,
                "--skip" => wanted.skip.extend(arguments.next()),
                "--part" => wanted.part = Some(part(&arguments.next().unwrap_or_default())?),
                "--nocapture" | "--no-capture" | "--show-output" | "--include-ignored" => {}
                "--test-threads" | "--color" | "--format" => drop(arguments.next()),
                other if other.starts_with("--test-threads=") || other.starts_with("--color=") => {}
                other if other.starts_with('-') => return Err(format!("unknown option {other}").into()),
                _ => wanted.words.push(argument),
            }
        }
        Ok(wanted)
    }

    fn is(&self, name: &str) -> bool {
        let fits = |word: &String| if self.exact { name == word } else { name.contains(word.as_str()) };
        (self.words.is_empty() || self.words.iter().any(fits))
            && !self.skip.iter().any(|word| name.contains(word.as_str()))
    }
}

/// `1/3`: the first of three parts.
fn part(text: &str) -> Result<(usize, usize), Broken> {
    let numbers = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    match numbers {
        Some((part, of)) if part >= 1 && part <= of => Ok((part, of)),
        _ => Err(format!("--part is of the form 1/3, and not {text:?}").into()),
    }
}

type Chosen = (String, Version, Case);

/// Divides cases into so many parts of about the same length; this one's stay. Cases with the same
/// policies stay together, so that these are set once; those without fill the parts up.
fn divided(cases: Vec<Chosen>, (part, of): (usize, usize)) -> Vec<Chosen> {
    // Every case has its requests, and some have pauses or several enrollments.
    let cost = |case: &Case| 5 + case.weight.min(20);
    let mut groups: BTreeMap<String, Vec<Chosen>> = BTreeMap::new();
    for chosen in cases {
        let together = if chosen.2.policies.is_empty() { &chosen.0 } else { &chosen.2.policies.join(" ") };
        groups.entry(together.clone()).or_default().push(chosen);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    let whole = |group: &Vec<Chosen>| group.iter().map(|chosen| cost(&chosen.2)).sum::<u32>();
    groups.sort_by_key(|group| std::cmp::Reverse(whole(group)));
    let mut parts: Vec<(u32, Vec<Chosen>)> = (0..of).map(|_| (0, Vec::new())).collect();
    for group in groups {
        if let Some(least) = parts.iter_mut().min_by_key(|(sum, _)| *sum) {
            least.0 += whole(&group);
            least.1.extend(group);
        }
    }
    parts.into_iter().nth(part - 1).map(|(_, cases)| cases).unwrap_or_default()
}

/// What came of the cases so far.
struct Tally {
    quiet: bool,
    passed: usize,
    failed: Vec<String>,
}

impl Tally {
    fn count(&mut self, name: &str, result: Result<Story, Broken>, took: Duration) {
        let (verdict, complaints) = match result {
            Ok(story) => (story.to_string(), story.complaints),
            Err(broken) => ("it could not be carried out".to_owned(), vec![broken.to_string()]),
        };
        let seconds = took.as_secs_f64();
        if complaints.is_empty() {
            self.passed += 1;
            if !self.quiet {
                println!("test {name} ... ok ({verdict}; {seconds:.1} s)");
            }
        } else {
            self.failed.push(name.to_owned());
            println!("test {name} ... FAILED ({verdict}; {seconds:.1} s)");
            complaints.iter().for_each(|complaint| println!("    {complaint}"));
        }
    }
}

/// The whole of the test program.
pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(101),
        Err(broken) => {
            eprintln!("contract: {broken}");
            ExitCode::from(101)
        }
    }
}

fn run() -> Result<bool, Broken> {
    let wanted = Wanted::from_arguments()?;
    let real = Real::of_environment()?.map(Arc::new);
    let twins = if wanted.between { Version::ALL.to_vec() } else { Version::RECORDED.to_vec() };
    let versions = real.as_ref().map_or(twins, |real| vec![real.version]);
    let place = if real.is_some() { "real" } else { "twin" };
    let mut chosen = Vec::new();
    for version in versions {
        for case in cases::of(version, real.is_some()) {
            let name = format!("{place} {}: {}", version.name(), case.name);
            if wanted.is(&name) {
                chosen.push((name, version, case));
            }
        }
    }
    if let Some(part) = wanted.part {
        chosen = divided(chosen, part);
    }
    if wanted.list {
        chosen.iter().for_each(|(name, ..)| println!("{name}: test"));
        return Ok(true);
    }
    println!("\nrunning {} cases", chosen.len());
    let started = Instant::now();
    // A real server takes its time, so what it does is shown in any case.
    let quiet = wanted.quiet && real.is_none();
    let mut tally = Tally { quiet, passed: 0, failed: Vec::new() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match real {
        Some(real) => runtime.block_on(at_real(&real, chosen, &mut tally))?,
        None => runtime.block_on(at_twins(chosen, &mut tally))?,
    }
    runtime.shutdown_timeout(Duration::from_secs(5));
    let (passed, failed) = (tally.passed, tally.failed.len());
    if failed > 0 {
        println!("\nfailures:");
        tally.failed.iter().for_each(|name| println!("    {name}"));
    }
    println!("\n{passed} passed, {failed} failed in {:.1} s", started.elapsed().as_secs_f64());
    Ok(failed == 0)
}

/// Every case has a twin of its own, so they are played side by side; the longest begin first.
async fn at_twins(mut cases: Vec<Chosen>, tally: &mut Tally) -> Result<(), Broken> {
    cases.sort_by_key(|(_, _, case)| std::cmp::Reverse(case.weight));
    let authority = Arc::new(Authority::new("contract")?);
    let (busy, waiting) = (Arc::new(Semaphore::new(BUSY)), Arc::new(Semaphore::new(WAITING)));
    let mut playing = JoinSet::new();
    for (name, version, case) in cases {
        let authority = Arc::clone(&authority);
        let room = Arc::clone(if case.weight >= HEAVY { &waiting } else { &busy });
        playing.spawn(async move {
            let place = room.acquire_owned().await;
            let started = Instant::now();
            let play = async {
                let site = Site::twin(version, authority, &case.policies).await?;
                case.play(site).await
            };
            let result = limited(play).await;
            drop(place);
            (name, result, started.elapsed())
        });
    }
    while let Some(done) = playing.join_next().await {
        let (name, result, took) = done?;
        tally.count(&name, result, took);
    }
    Ok(())
}

/// All cases share the server: one at a time, those with the same policies after each other.
async fn at_real(real: &Arc<Real>, mut cases: Vec<Chosen>, tally: &mut Tally) -> Result<(), Broken> {
    cases.sort_by(|(_, _, one), (_, _, two)| one.policies.cmp(&two.policies));
    let mut in_force: Option<Vec<&str>> = None;
    for (name, _, case) in cases {
        let started = Instant::now();
        real.clear_faults()?;
        if in_force.as_ref() != Some(&case.policies) {
            real.set_policies(&case.policies).await?;
            in_force = Some(case.policies.clone());
        }
        let result = limited(case.play(Site::real(real))).await;
        real.clear_faults()?;
        for serial in real.observer.tokens().await?.keys() {
            real.observer.delete(serial).await?;
        }
        tally.count(&name, result, started.elapsed());
    }
    real.set_policies(&[]).await
}

async fn limited(play: impl Future<Output = Result<Story, Broken>>) -> Result<Story, Broken> {
    match tokio::time::timeout(LIMIT, play).await {
        Ok(result) => result,
        Err(_) => Err(format!("stuck for {} s", LIMIT.as_secs()).into()),
    }
}
