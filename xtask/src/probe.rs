//! Waiting for something to become true: asked often, never longer than its deadline.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::interrupt;

const INTERVAL: Duration = Duration::from_millis(50);
const CONNECT_MAX: Duration = Duration::from_millis(500);

/// Asks until the answer is yes. `Ok(false)`: the deadline passed. An error of `ready` ends it.
pub(crate) fn until(
    deadline: Duration,
    mut ready: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let end = Instant::now() + deadline;
    loop {
        interrupt::check()?;
        if ready()? {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        thread::sleep(INTERVAL);
    }
}

pub(crate) fn accepts_tcp(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, CONNECT_MAX).is_ok()
}

/// Whether a GET answers 200. Never through a proxy: everything asked here is on this machine.
pub(crate) fn answers_http(url: &str) -> bool {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .proxy(None)
        .build()
        .into();
    agent.get(url).call().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_ends_the_wait_and_an_error_ends_it_at_once() {
        assert!(!until(Duration::ZERO, || Ok(false)).unwrap());
        let mut left = 3;
        let counting = || {
            left -= 1;
            Ok(left == 0)
        };
        assert!(until(Duration::from_secs(5), counting).unwrap());
        assert!(until(Duration::from_secs(5), || anyhow::bail!("dead")).is_err());
    }
}
