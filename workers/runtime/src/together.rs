//! Asks that come while others are under way are carried together.
//!
//! A round trip costs about as much for ten asks as for one. Who comes to an idle carrier is carried at once and alone;
//! under load the next portion is what has gathered meanwhile. Nobody waits for company.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Carries portions of asks to where they are answered.
pub trait Carry: Send + Sync + 'static {
    type Ask: Send + 'static;
    type Answer: Send + 'static;

    /// One answer for each ask, in their order. It must end by itself: whoever comes later waits for it.
    fn carry(&self, asks: Vec<Self::Ask>) -> impl Future<Output = Vec<Self::Answer>> + Send;
}

type Waiting<C> = (<C as Carry>::Ask, oneshot::Sender<<C as Carry>::Answer>);

/// One carrier for all who ask. Cheap to clone.
pub struct Together<C: Carry>(Arc<Inner<C>>);

struct Inner<C: Carry> {
    carrier: C,
    /// Portions under way at once.
    at_once: usize,
    /// Asks of one portion.
    portion: usize,
    desk: Mutex<Desk<C>>,
}

struct Desk<C: Carry> {
    waiting: VecDeque<Waiting<C>>,
    under_way: usize,
}

impl<C: Carry> Clone for Together<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Carry + std::fmt::Debug> std::fmt::Debug for Together<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Together").field(&self.0.carrier).finish()
    }
}

impl<C: Carry> Together<C> {
    /// At most `at_once` portions of at most `portion` asks are under way; at least one of one.
    #[must_use]
    pub fn new(carrier: C, at_once: usize, portion: usize) -> Self {
        Self(Arc::new(Inner {
            carrier,
            at_once: at_once.max(1),
            portion: portion.max(1),
            desk: Mutex::new(Desk {
                waiting: VecDeque::new(),
                under_way: 0,
            }),
        }))
    }

    #[must_use]
    pub fn carrier(&self) -> &C {
        &self.0.carrier
    }

    /// The answer; `None` when the carrier gave none. Safe to drop: who is gone by then is not carried.
    pub async fn ask(&self, ask: C::Ask) -> Option<C::Answer> {
        let (tell, told) = oneshot::channel();
        self.0.desk().waiting.push_back((ask, tell));
        self.set_out();
        told.await.ok()
    }

    /// Sends a carrier for those who wait, unless enough are under way. On a task of its own: whoever asked first may
    /// be given up, and the others wait all the same.
    fn set_out(&self) {
        let mut desk = self.0.desk();
        if desk.under_way < self.0.at_once && !desk.waiting.is_empty() {
            desk.under_way += 1;
            let tour = Tour {
                together: self.clone(),
                has_ended: false,
            };
            tokio::spawn(tour.run());
        }
    }
}

impl<C: Carry> Inner<C> {
    fn desk(&self) -> MutexGuard<'_, Desk<C>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those who still wait, in their order. `None` ends the tour: there is nobody.
    fn next(&self) -> Option<Vec<Waiting<C>>> {
        let mut desk = self.desk();
        let mut taken = Vec::new();
        while taken.len() < self.portion
            && let Some(waiting) = desk.waiting.pop_front()
        {
            if !waiting.1.is_closed() {
                taken.push(waiting);
            }
        }
        if taken.is_empty() {
            // Under the same lock: whoever comes next finds the desk left, and sends another.
            desk.under_way -= 1;
            return None;
        }
        Some(taken)
    }
}

/// A carrier that is under way, until nobody waits.
struct Tour<C: Carry> {
    together: Together<C>,
    has_ended: bool,
}

impl<C: Carry> Tour<C> {
    async fn run(mut self) {
        let inner = Arc::clone(&self.together.0);
        while let Some(taken) = inner.next() {
            let (asks, told): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
            for (told, answer) in told.into_iter().zip(inner.carrier.carry(asks).await) {
                // Who has gone meanwhile asks again.
                let _ = told.send(answer);
            }
        }
        self.has_ended = true;
    }
}

impl<C: Carry> Drop for Tour<C> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        self.together.0.desk().under_way -= 1;
        // Those who were left behind by a panic are carried by another. A process that ends carries nobody any more.
        if std::thread::panicking() {
            self.together.set_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Semaphore;

    /// Answers with the size of the portion, when it may.
    struct Counter(Arc<Semaphore>);

    impl Carry for Counter {
        type Ask = u32;
        type Answer = (u32, usize);

        async fn carry(&self, asks: Vec<u32>) -> Vec<(u32, usize)> {
            self.0.acquire().await.expect("never closed").forget();
            assert!(!asks.contains(&13), "unlucky");
            let together = asks.len();
            asks.into_iter().map(|ask| (ask, together)).collect()
        }
    }

    fn counter(at_once: usize, portion: usize) -> (Together<Counter>, Arc<Semaphore>) {
        let may = Arc::new(Semaphore::new(0));
        let counter = Counter(Arc::clone(&may));
        (Together::new(counter, at_once, portion), may)
    }

    /// All of them ask; the first is under way before the others come.
    async fn all(
        together: &Together<Counter>,
        may: &Semaphore,
        asks: std::ops::Range<u32>,
    ) -> Vec<Option<(u32, usize)>> {
        let mut all = Vec::new();
        for ask in asks {
            let asking = together.clone();
            all.push(tokio::spawn(async move { asking.ask(ask).await }));
            // It has set out, or it waits for the first one.
            let settled =
                |desk: &Desk<Counter>| desk.under_way == 1 && desk.waiting.len() + 1 == all.len();
            while !settled(&together.0.desk()) {
                tokio::task::yield_now().await;
            }
        }
        may.add_permits(100);
        let mut answers = Vec::new();
        for one in all {
            answers.push(one.await.expect("asks do not panic"));
        }
        answers
    }

    #[tokio::test]
    async fn the_first_goes_alone_and_the_others_together() {
        let (together, may) = counter(1, 3);
        let answers = all(&together, &may, 0..6).await;
        let sizes: Vec<_> = answers.iter().flatten().map(|(_, size)| *size).collect();
        assert_eq!(sizes, [1, 3, 3, 3, 2, 2]);
        let own: Vec<_> = answers.iter().flatten().map(|(ask, _)| *ask).collect();
        assert_eq!(own, [0, 1, 2, 3, 4, 5], "each has its own answer");
        assert_eq!(together.0.desk().under_way, 0);
    }

    #[tokio::test]
    async fn who_is_gone_is_not_carried() {
        let (together, may) = counter(1, 10);
        let mut first = Box::pin(together.ask(1));
        assert!(futures::poll!(&mut first).is_pending());
        tokio::task::yield_now().await;
        let mut gone = Box::pin(together.ask(2));
        assert!(futures::poll!(&mut gone).is_pending());
        drop(gone);
        may.add_permits(100);
        let stays = together.ask(3).await;
        assert_eq!((first.await, stays), (Some((1, 1)), Some((3, 1))));
    }

    #[test]
    fn a_runtime_that_ends_with_asks_is_at_an_end() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let (together, _may) = counter(1, 1);
        for ask in 0..3 {
            let asking = together.clone();
            runtime.spawn(async move { asking.ask(ask).await });
        }
        runtime.block_on(tokio::task::yield_now());
        assert_eq!(together.0.desk().waiting.len(), 2);
        drop(runtime);
        assert_eq!(together.0.desk().under_way, 0);
    }

    #[tokio::test]
    async fn a_carrier_that_panics_fails_only_those_it_carried() {
        let (together, may) = counter(1, 2);
        let answers = all(&together, &may, 11..16).await;
        let carried: Vec<_> = answers.iter().map(Option::is_some).collect();
        assert_eq!(carried, [true, false, false, true, true]);
    }
}
