//! The server's pace: so many requests at once, and none while it asks for a rest.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt;
use station::engine::server::{ServerAnswer, ServerCall, ServerFault};
use station::refusal::Code;
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio::time::Instant;

use crate::server::ServerPort;

/// The first rest after a "too busy" that names no time, and the longest of all.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// How many look-ups of people there are at once, and how long one waits for a place that no enrollment wants.
const LOOKUPS: usize = 4;
const TIMEOUT: Duration = Duration::from_millis(20);

/// A server that all ports share: a "too busy" to one of them makes all of them wait,
/// a little longer or shorter each, so that they do not come back at once.
pub struct Paced {
    server: Arc<dyn ServerPort>,
    places: Semaphore,
    lookups: Semaphore,
    rest: Mutex<Rest>,
}

#[derive(Debug, Default)]
struct Rest {
    until: Option<Instant>,
    /// How often in a row the server was too busy.
    times: u32,
}

impl Paced {
    /// At most `at_once` requests to `server` at a time; at least one.
    pub fn new(server: Arc<dyn ServerPort>, at_once: usize) -> Self {
        Self {
            server,
            places: Semaphore::new(at_once.max(1)),
            lookups: Semaphore::new(LOOKUPS),
            rest: Mutex::default(),
        }
    }

    async fn carry_out(&self, call: ServerCall) -> Result<ServerAnswer, ServerFault> {
        // The semaphores are never closed; were they, calling at once would do no harm.
        let (_lookup, _place) = if matches!(call, ServerCall::People { .. } | ServerCall::Realms) {
            (self.lookups.acquire().await.ok(), self.left_over().await)
        } else {
            (None, self.places.acquire().await.ok())
        };
        while let Some(until) = self.resting() {
            let jitter = SHORTEST.mul_f64(rand::rng().random_range(0.0..1.0));
            tokio::time::sleep_until(until + jitter).await;
        }
        let result = self.server.call(call).await;
        self.learn(&result);
        result
    }

    /// A place that no enrollment waits for: who waits gets places that become free before anybody who tries.
    async fn left_over(&self) -> Option<SemaphorePermit<'_>> {
        loop {
            match self.places.try_acquire() {
                Ok(place) => return Some(place),
                Err(TryAcquireError::NoPermits) => tokio::time::sleep(TIMEOUT).await,
                Err(TryAcquireError::Closed) => return None,
            }
        }
    }

    /// Until when the server wants to be left alone, when it still does.
    fn resting(&self) -> Option<Instant> {
        self.rest().until.filter(|until| *until > Instant::now())
    }

    fn learn(&self, result: &Result<ServerAnswer, ServerFault>) {
        let mut rest = self.rest();
        match result {
            Err(fault) if let Some(asked) = busy(fault) => {
                let grown = SHORTEST.saturating_mul(1 << rest.times.min(7));
                rest.times = rest.times.saturating_add(1);
                let until = Instant::now() + grown.max(asked).min(LONGEST);
                rest.until = rest.until.max(Some(until));
            }
            // Any other answer shows that it takes requests again.
            _ => *rest = Rest { until: rest.until, times: 0 },
        }
    }

    fn rest(&self) -> std::sync::MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the server wants to be left alone, when it does (429 and 503).
fn busy(fault: &ServerFault) -> Option<Duration> {
    match fault {
        ServerFault::Later { after, .. } => Some(*after),
        ServerFault::Unknown { code: Code::ServerBusy, after, .. } => Some(after.unwrap_or_default()),
        fault if fault.code() == Code::ServerBusy => Some(Duration::ZERO),
        _ => None,
    }
}

impl ServerPort for Paced {
    fn ordered(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.server.ordered()
    }

    fn lag(&self) -> Duration {
        self.server.lag()
    }

    fn call(
        &self,
        call: ServerCall,
    ) -> Pin<Box<dyn Future<Output = Result<ServerAnswer, ServerFault>> + Send + '_>> {
        Box::pin(self.carry_out(call))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinSet;

    use super::*;

    /// Counts who is there at once, and is too busy for the first so many.
    struct Crowd {
        here: AtomicUsize,
        most: AtomicUsize,
        calls: AtomicUsize,
        orders: AtomicUsize,
        busy_for: usize,
    }

    impl ServerPort for Crowd {
        fn ordered(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            self.orders.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(()))
        }

        fn call(
            &self,
            _: ServerCall,
        ) -> Pin<Box<dyn Future<Output = Result<ServerAnswer, ServerFault>> + Send + '_>> {
            Box::pin(async {
                self.most.fetch_max(self.here.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
                self.here.fetch_sub(1, Ordering::SeqCst);
                if self.calls.fetch_add(1, Ordering::SeqCst) < self.busy_for {
                    return Err(ServerFault::Later { code: Code::ServerBusy, after: Duration::from_secs(5) });
                }
                Ok(ServerAnswer::Done)
            })
        }
    }

    fn crowd(busy_for: usize) -> Arc<Crowd> {
        let zero = || AtomicUsize::new(0);
        Arc::new(Crowd { here: zero(), most: zero(), calls: zero(), orders: zero(), busy_for })
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_at_once_than_allowed() {
        let crowd = crowd(0);
        let paced = Arc::new(Paced::new(Arc::clone(&crowd) as Arc<dyn ServerPort>, 3));
        let mut all = JoinSet::new();
        for _ in 0..12 {
            let paced = Arc::clone(&paced);
            all.spawn(async move { paced.call(ServerCall::Prepare).await.is_ok() });
        }
        assert_eq!(all.join_all().await, [true; 12]);
        assert_eq!(crowd.most.load(Ordering::SeqCst), 3);
    }

    /// Else a password that was refused once would never be tried again.
    #[tokio::test]
    async fn that_an_enrollment_was_ordered_reaches_the_server() {
        let crowd = crowd(0);
        Paced::new(Arc::clone(&crowd) as Arc<dyn ServerPort>, 3).ordered().await;
        assert_eq!((crowd.orders.load(Ordering::SeqCst), crowd.calls.load(Ordering::SeqCst)), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn people_are_looked_up_four_at_once_and_behind_enrollments() {
        let crowd = crowd(0);
        let paced = Arc::new(Paced::new(Arc::clone(&crowd) as Arc<dyn ServerPort>, 8));
        let look =
            |login: usize| ServerCall::People { realm: "r".to_owned(), login: Some(login.to_string()) };
        let mut all = JoinSet::new();
        for login in 0..12 {
            let paced = Arc::clone(&paced);
            all.spawn(async move { paced.call(look(login)).await.is_ok() });
        }
        assert_eq!(all.join_all().await, [true; 12]);
        assert_eq!(crowd.most.load(Ordering::SeqCst), 4);

        let paced = Arc::new(Paced::new(crowd, 1));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut all = JoinSet::new();
        for number in 0..6 {
            let (paced, order) = (Arc::clone(&paced), Arc::clone(&order));
            all.spawn(async move {
                let call = if number < 2 { look(number) } else { ServerCall::Prepare };
                let _ = paced.call(call).await;
                order.lock().unwrap().push(number);
            });
        }
        all.join_all().await;
        let order = order.lock().unwrap();
        // The first look-up found the place free.
        assert_eq!((order[0], *order.last().unwrap()), (0, 1), "{order:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_server_is_left_alone_by_everybody() {
        let paced = Paced::new(crowd(1), 2);
        let start = Instant::now();
        assert!(paced.call(ServerCall::Prepare).await.is_err());
        assert!(paced.call(ServerCall::Prepare).await.is_ok());
        let waited = start.elapsed();
        assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(6), "{waited:?}");
    }
}
