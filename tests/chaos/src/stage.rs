//! The house under fire: the world, its own servers, and a fault proxy in each link.

use crate::{
    expected::Expected,
    house::{self, Shows},
    meter::Meter,
};
use boxoffice_api::token::{Grant, TokenIssuer};
use boxoffice_contracts::{Owner, Role};
use boxoffice_fault_proxy::Proxy;
pub use boxoffice_integration::Link;
use boxoffice_integration::{
    Parties, Roles, Setup, World, private_broker::PrivateBroker, private_mongodb::PrivateMongodb,
    private_mysql::PrivateMysql, process::free_port, secs, services::Services, setup::host_of,
};
use boxoffice_runtime::clock;
use sea_orm::DatabaseConnection;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};
use tokio::sync::Mutex;

/// Longer than the longest run.
const TOKEN_TTL_SECS: u64 = 4 * 3_600;

/// Everything a fault can happen to.
///
/// Who takes several of the locks takes them in the order of the fields.
pub struct Stage {
    pub world: Mutex<World>,
    pub broker: Mutex<PrivateBroker>,
    pub mysql: Mutex<PrivateMysql>,
    pub mongodb: Mutex<PrivateMongodb>,
    pub links: BTreeMap<Link, Proxy>,
    /// What clients met.
    pub meter: Meter,
    /// Messages that will wait for a person, and rightly.
    pub expected: Expected,
    pub shows: Shows,
    /// The API's address, past no proxy: clients meet what it answers.
    pub api: String,
    /// `http://host:port` of the gateway, for the customers' own steps there.
    pub gateway: String,
    /// The house's schema, past every proxy; for looking, which waits while the server is away.
    pub db: DatabaseConnection,
    /// Address of each process's probes and metrics, by name.
    pub internals: BTreeMap<String, std::net::SocketAddr>,
    /// Settings, keys and logs of the processes.
    pub folder: PathBuf,
    /// The broker's management API, with user and password.
    pub management: String,
    /// The run has `intake.journal` on: what was accepted outlives the broker's disk.
    pub journal: bool,
    issuer: Arc<TokenIssuer>,
}

impl Stage {
    /// Starts servers, proxies and processes, with shows for so many visits; `programs` is the folder of the
    /// product's own.
    ///
    /// # Panics
    /// When something doesn't come up.
    pub async fn start(programs: PathBuf, visits: usize) -> Self {
        Self::start_with(programs, visits, false).await
    }

    /// The same, with the intake journal on or off.
    ///
    /// # Panics
    /// When something doesn't come up.
    pub async fn start_with(programs: PathBuf, visits: usize, journal: bool) -> Self {
        let (broker, mysql, mongodb) = tokio::join!(
            PrivateBroker::start(),
            PrivateMysql::start(),
            PrivateMongodb::start()
        );
        let api_port = free_port();
        let mut links = BTreeMap::new();
        let webhooks = through(
            &mut links,
            Link::GatewayApi,
            format!("127.0.0.1:{api_port}"),
        )
        .await;
        let parties =
            Parties::start_with(api_port, format!("http://{webhooks}/v1/webhooks/stripe")).await;
        let gateway = parties.gateway.address();
        let ends = [
            (Link::ApiBroker, host_of(&broker.amqp_url())),
            (Link::WorkersBroker, host_of(&broker.amqp_url())),
            (Link::ApiMysql, mysql.address()),
            (Link::WorkersMysql, mysql.address()),
            (Link::WorkersMongodb, mongodb.address()),
            (Link::WorkersGateway, gateway.clone()),
            (Link::WorkersSmtp, parties.catcher.smtp().to_string()),
        ];
        let services = Services {
            mysql: mysql.url(),
            amqp: broker.amqp_url(),
            management: broker.management_url(),
            mongodb: mongodb.url(),
            programs,
        };
        let shows = Shows::for_visits(visits);
        let mut setup = Setup::on(services, broker.metrics_url())
            .roles(Roles::Apart(house::PROCESSES))
            .parties(parties);
        for (name, value) in house::SETTINGS {
            setup = setup.setting(name, value);
        }
        if journal {
            for (name, value) in house::JOURNAL {
                setup = setup.setting(name, value);
            }
        }
        for show in shows.all() {
            setup = setup.show(show.clone());
        }
        for (link, end) in ends {
            let to = through(&mut links, link, end.clone()).await;
            setup = setup.route(who_takes(link), end, to);
        }
        let world = setup.start().await;
        Self {
            shows: shows.imported(|slug| world.show(slug)),
            meter: Meter::default(),
            expected: Expected::default(),
            api: world.api.clone(),
            gateway: format!("http://{gateway}"),
            db: world.db.clone(),
            internals: world
                .processes
                .iter()
                .map(|(name, process)| (name.clone(), process.internal()))
                .collect(),
            folder: world.folder.clone(),
            management: broker.management_url(),
            journal,
            issuer: Arc::clone(&world.issuer),
            world: Mutex::new(world),
            broker: Mutex::new(broker),
            mysql: Mutex::new(mysql),
            mongodb: Mutex::new(mongodb),
            links,
        }
    }

    /// The link's proxy.
    ///
    /// # Panics
    /// Never: each link has one.
    #[must_use]
    pub fn link(&self, link: Link) -> &Proxy {
        &self.links[&link]
    }

    /// What authenticates somebody at the API, for the whole run.
    ///
    /// # Panics
    /// The key can't sign.
    #[must_use]
    pub fn token(&self, owner: &Owner, role: Role) -> String {
        let grant = Grant {
            subject: owner.subject.clone(),
            tenant: owner.tenant.clone(),
            role,
            venue: None,
            ttl: secs(TOKEN_TTL_SECS),
        };
        self.issuer.issue(&grant, clock::now()).unwrap()
    }

    /// Ends the processes in order and takes the servers away. Returns who didn't end well.
    pub async fn leave(self) -> Vec<String> {
        self.world.into_inner().leave().await
    }
}

async fn through(links: &mut BTreeMap<Link, Proxy>, link: Link, target: String) -> String {
    let proxy = Proxy::start(target).await;
    let address = proxy.address.to_string();
    links.insert(link, proxy);
    address
}

/// Which processes use a link.
fn who_takes(link: Link) -> fn(&str) -> bool {
    match link {
        Link::ApiBroker | Link::ApiMysql => |name| name == "api",
        Link::WorkersBroker
        | Link::WorkersMysql
        | Link::WorkersMongodb
        | Link::WorkersGateway
        | Link::WorkersSmtp => |name| name != "api",
        // The gateway's, which is no process of the house.
        Link::GatewayApi => |_| false,
    }
}
