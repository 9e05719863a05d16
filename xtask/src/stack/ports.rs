//! The ports of one stack: a base and fixed offsets whose digits recall the usual port, far from
//! the standard ones and below the range the kernel hands out.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{bail, ensure};

/// `up` always uses this block, so that bookmarks stay true.
pub(crate) const DEV_BASE: u16 = 28_000;
/// Other stacks search here.
const SEARCH: std::ops::Range<u16> = 11_100..27_000;
/// Wider than the greatest offset.
const BLOCK: u16 = 700;
/// Below this a user may not listen; the standard ports of the servers are offsets from lower bases.
const BASE_MIN: u16 = 10_000;

/// What listens, with its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Port {
    MongoDb = 17,
    Smtp = 25,
    Api = 80,
    ApiInternal = 81,
    Stripe = 82,
    MailPage = 83,
    /// One for each worker, in the order of the roles.
    WorkerInternal = 100,
    Sql = 306,
    Epmd = 669,
    Amqp = 672,
    Management = 673,
    Distribution = 675,
    Prometheus = 692,
}

/// How many workers find room for their internal ports.
pub(crate) const WORKERS_MAX: u16 = 40;

impl Port {
    const SERVERS: [(Self, &str); 7] = [
        (Self::MongoDb, "MongoDB"),
        (Self::Sql, "MariaDB or MySQL"),
        (Self::Epmd, "Erlang's port mapper"),
        (Self::Amqp, "RabbitMQ"),
        (Self::Management, "RabbitMQ's management"),
        (Self::Distribution, "RabbitMQ's distribution"),
        (Self::Prometheus, "RabbitMQ's metrics"),
    ];
    const PRODUCT: [(Self, &str); 5] = [
        (Self::Smtp, "the mail catcher's SMTP"),
        (Self::Api, "the API"),
        (Self::ApiInternal, "the API's internal port"),
        (Self::Stripe, "the Stripe sandbox"),
        (Self::MailPage, "the mail catcher's page"),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    base: u16,
}

impl Ports {
    pub(crate) fn at(base: u16) -> anyhow::Result<Self> {
        ensure!(
            (BASE_MIN..u16::MAX - BLOCK).contains(&base),
            "the port base must lie between {BASE_MIN} and {}, not {base}",
            u16::MAX - BLOCK
        );
        Ok(Self { base })
    }

    /// A block in which everything is free right now. `seed` keeps two searches apart.
    pub(crate) fn find_free(seed: u32) -> anyhow::Result<Self> {
        let blocks = u32::from((SEARCH.end - SEARCH.start) / BLOCK);
        for attempt in 0..blocks {
            let block = u16::try_from(seed.wrapping_add(attempt) % blocks)?;
            let ports = Self::at(SEARCH.start + block * BLOCK)?;
            if ports.first_busy().is_none() {
                return Ok(ports);
            }
        }
        bail!(
            "no free block of ports between {} and {}: stop some programs",
            SEARCH.start,
            SEARCH.end
        )
    }

    /// Says which port is taken, by its purpose, and what to do.
    pub(crate) fn check_free(self) -> anyhow::Result<()> {
        if let Some((port, purpose)) = self.first_busy() {
            let other = if self.base < 40_000 {
                self.base + 10_000
            } else {
                DEV_BASE
            };
            bail!(
                "port {port}, meant for {purpose}, is used by another program: stop that one, \
                 or choose other ports with `--port-base {other}`"
            );
        }
        Ok(())
    }

    pub(crate) fn base(self) -> u16 {
        self.base
    }

    pub(crate) fn number(self, port: Port) -> u16 {
        self.base + port as u16
    }

    pub(crate) fn address(self, port: Port) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number(port)))
    }

    pub(crate) fn worker(self, index: u16) -> SocketAddr {
        SocketAddr::from((
            Ipv4Addr::LOCALHOST,
            self.number(Port::WorkerInternal) + index,
        ))
    }

    fn first_busy(self) -> Option<(u16, &'static str)> {
        let workers =
            (0..WORKERS_MAX).map(|index| (self.worker(index), "a worker's internal port"));
        Port::SERVERS
            .into_iter()
            .chain(Port::PRODUCT)
            .map(|(port, purpose)| (self.address(port), purpose))
            .chain(workers)
            .find(|(address, _)| TcpListener::bind(address).is_err())
            .map(|(address, purpose)| (address.port(), purpose))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_block_is_found_and_a_busy_port_is_named() {
        let ports = Ports::find_free(7).unwrap();
        ports.check_free().unwrap();
        let _taken = TcpListener::bind(ports.address(Port::Sql)).unwrap();
        let message = ports.check_free().unwrap_err().to_string();
        assert!(
            message.contains("MariaDB") && message.contains("--port-base"),
            "{message}"
        );
        assert_ne!(Ports::find_free(7).unwrap(), ports);
    }

    #[test]
    fn no_port_is_a_standard_one_or_outside_its_block() {
        let standard = [
            25, 80, 443, 1080, 3306, 4369, 5672, 15672, 15692, 25672, 27017,
        ];
        let offsets = Port::SERVERS
            .iter()
            .chain(&Port::PRODUCT)
            .map(|(port, _)| *port);
        for base in SEARCH.step_by(usize::from(BLOCK)).chain([DEV_BASE]) {
            for port in offsets.clone() {
                let number = Ports::at(base).unwrap().number(port);
                assert!(
                    number < base + BLOCK && !standard.contains(&number),
                    "{port:?} is {number}"
                );
            }
        }
        assert!(Ports::at(0).is_err() && Ports::at(65_000).is_err());
    }
}
