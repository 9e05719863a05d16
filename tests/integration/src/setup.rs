//! How a world is made: what a test wants different, and the steps from nothing to a running box office.

use crate::{
    customer::Journal,
    fixture::{self, Show},
    gateway::{Gateway, SECRET_KEY, WEBHOOK_SECRET},
    link::Link,
    process::{Environment, Process, free_port},
    services::{Place, Services, set},
    world::World,
};
use boxoffice_api::{
    config::{Secret, TokenConfig},
    token::TokenIssuer,
};
use boxoffice_fault_proxy::Proxy;
use boxoffice_mail_catcher::{Catcher, Options};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

/// Which processes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    /// `boxoffice all`, named `all`.
    InOne,
    /// `api`, one process for each group of workers named here (by its first), and `rest` for the others.
    Apart(&'static [&'static [&'static str]]),
}

/// What a test wants.
#[derive(Debug)]
pub struct Setup {
    shows: Vec<Show>,
    roles: Roles,
    settings: Environment,
    links: BTreeSet<Link>,
    only: Option<&'static str>,
    gateway_keys: Duration,
    services: Services,
    routes: Vec<Route>,
    parties: Option<Parties>,
}

/// All that is at one address is at another one, as some processes see it.
#[derive(Debug, Clone)]
struct Route {
    of: fn(&str) -> bool,
    /// `host:port`.
    from: String,
    to: String,
}

/// The outside of a world that was there before it: a harness that puts something into each link must know both ends.
pub struct Parties {
    pub gateway: Gateway,
    pub catcher: Catcher,
    /// Where the API will listen; the gateway knows it already.
    pub api_port: u16,
}

impl fmt::Debug for Parties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parties of the API at {}", self.api_port)
    }
}

impl Parties {
    /// The gateway sends its webhooks to this URL.
    pub async fn start_with(api_port: u16, webhooks: String) -> Self {
        let options = Options::default();
        Self {
            gateway: Gateway::start(webhooks, GATEWAY_KEYS).await,
            catcher: boxoffice_mail_catcher::spawn(options).await.unwrap(),
            api_port,
        }
    }
}

/// How long the gateway remembers a key, as Stripe promises.
const GATEWAY_KEYS: Duration = Duration::from_hours(24);

/// Time as the tests need it: seconds where the product has minutes. As there, all retries of a message
/// together last far longer than a lease on an intent, which is four calls and the slack.
const SETTINGS: &str = r#"
[amqp]
retry_delays_ms = [100, 500, 3000, 10000]

[payments]
lease_slack_ms = 500

[saga]
authorize_answer_secs = 2
action_secs = 60
resend_secs = 1
resend_max_secs = 2
pay_again_secs = 6
document_wait_secs = 5
mail_wait_secs = 20

[retention]
every_secs = 1

# The world is its own judge.
[invariants]
every_secs = 0

[api]
heartbeat_secs = 1

# Storms and impatient customers come from few names; the story about limits sets its own.
[api.rate]
quota_customer = 0
quota_business = 0
quota_address = 0
waiters_customer_max = 1000

[gateway]
timeout_ms = 1500

[smtp]
timeout_ms = 3000

[log]
filter = "info,sqlx=warn,lapin=warn"
"#;

impl Default for Setup {
    fn default() -> Self {
        let broker_metrics = set("BOXOFFICE_TEST_BROKER_METRICS_URL");
        Self::on(Services::from_env(), broker_metrics)
    }
}

impl Setup {
    /// A world on these servers.
    #[must_use]
    pub fn on(services: Services, broker_metrics: String) -> Self {
        let metrics = "BOXOFFICE__AMQP__PROMETHEUS_URL".to_owned();
        Self {
            shows: Vec::new(),
            roles: Roles::InOne,
            settings: Environment::from([(metrics, broker_metrics)]),
            links: BTreeSet::new(),
            only: None,
            gateway_keys: GATEWAY_KEYS,
            services,
            routes: Vec::new(),
            parties: None,
        }
    }

    #[must_use]
    pub fn show(mut self, show: Show) -> Self {
        self.shows.push(show);
        self
    }

    #[must_use]
    pub fn roles(mut self, roles: Roles) -> Self {
        self.roles = roles;
        self
    }

    /// A setting by the name of its variable, such as `BOXOFFICE__SAGA__PAY_AGAIN_SECS`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Puts a proxy into one of the product's links.
    #[must_use]
    pub fn through(mut self, link: Link) -> Self {
        self.links.insert(link);
        self
    }

    /// Only this process goes through the proxies of its links; the others pass them by.
    #[must_use]
    pub fn only(mut self, process: &'static str) -> Self {
        self.only = Some(process);
        self
    }

    /// The gateway forgets idempotency keys after so long, and not after a day.
    #[must_use]
    pub fn gateway_keys_last(mut self, how_long: Duration) -> Self {
        self.gateway_keys = how_long;
        self
    }

    /// Another broker than the one that all tests share.
    #[must_use]
    pub fn broker(mut self, amqp: String, management: String) -> Self {
        self.services.amqp = amqp;
        self.services.management = management;
        self
    }

    /// Lets the processes of these names find at `to` what is at `from`; both `host:port`. Commands that
    /// are run once before them have names of their own.
    #[must_use]
    pub fn route(mut self, of: fn(&str) -> bool, from: String, to: String) -> Self {
        self.routes.push(Route { of, from, to });
        self
    }

    /// Gateway and mail server that run already.
    #[must_use]
    pub fn parties(mut self, parties: Parties) -> Self {
        self.parties = Some(parties);
        self
    }

    pub async fn start(mut self) -> World {
        install_tls();
        let place = Place::create(&self.services).await;
        let folder = std::env::temp_dir()
            .join("boxoffice-tests")
            .join(&place.name);
        fs::create_dir_all(&folder).unwrap();
        let (parties, webhooks) = match self.parties.take() {
            Some(parties) => (parties, None),
            None => self.own_parties().await,
        };
        let Parties {
            gateway,
            catcher,
            api_port,
        } = parties;
        let mut proxies = self.proxies(&place, &gateway, &catcher).await;
        proxies.extend(webhooks.map(|proxy| (Link::GatewayApi, proxy)));
        let environment = self.environment(&place, &gateway, &catcher, &proxies, &folder, api_port);
        let direct = self.environment(
            &place,
            &gateway,
            &catcher,
            &BTreeMap::new(),
            &folder,
            api_port,
        );
        let of_api = of_api(&environment, &place, &proxies);
        let mut shows = self.shows;
        fixture::write(&folder.join("data"), &shows);
        let program = self.services.programs.join("boxoffice");
        let ready = Prepared {
            program: &program,
            environment: &environment,
            routes: &self.routes,
            of_api: &of_api,
            direct: &direct,
            only: self.only,
            folder: &folder,
        };
        ready.prepare().await;
        let db = place.database().await;
        fixture::adjust(&db, &mut shows).await;
        let issuer = issuer(&folder.join("keys"));
        let mut processes = ready.processes(self.roles);
        for process in processes.values_mut() {
            process.start();
        }
        for process in processes.values_mut() {
            process.ready().await;
        }
        World {
            documents: place.documents().await,
            vhost: crate::broker::Vhost::connect(&place.amqp_url()).await,
            api: format!("http://127.0.0.1:{api_port}"),
            journal: Arc::new(Journal::default()),
            allowed: boxoffice_invariants::Allowed::default(),
            finished: false,
            place,
            db,
            gateway,
            catcher,
            proxies,
            shows,
            issuer: Arc::new(issuer),
            processes,
            folder,
        }
    }

    /// The outside of a world that brings none, and the proxy in front of the API's webhooks if one is wanted.
    async fn own_parties(&self) -> (Parties, Option<Proxy>) {
        let api_port = free_port();
        let api = format!("127.0.0.1:{api_port}");
        let proxy = if self.links.contains(&Link::GatewayApi) {
            Some(Proxy::start(api.clone()).await)
        } else {
            None
        };
        let to = proxy
            .as_ref()
            .map_or(api, |proxy| proxy.address.to_string());
        let webhooks = format!("http://{to}/v1/webhooks/stripe");
        let options = Options::default();
        let parties = Parties {
            gateway: Gateway::start(webhooks, self.gateway_keys).await,
            catcher: boxoffice_mail_catcher::spawn(options).await.unwrap(),
            api_port,
        };
        (parties, proxy)
    }

    /// All but the one for webhooks, which the gateway must know before it starts.
    async fn proxies(
        &self,
        place: &Place,
        gateway: &Gateway,
        catcher: &Catcher,
    ) -> BTreeMap<Link, Proxy> {
        let mut proxies = BTreeMap::new();
        for link in &self.links {
            let target = match link {
                Link::ApiMysql | Link::WorkersMysql => host_of(&place.mysql_url()),
                Link::ApiBroker | Link::WorkersBroker => host_of(&place.amqp_url()),
                Link::WorkersMongodb => host_of(place.mongodb_url()),
                Link::WorkersSmtp => catcher.smtp().to_string(),
                Link::WorkersGateway => gateway.address(),
                Link::GatewayApi => continue,
            };
            proxies.insert(*link, Proxy::start(target).await);
        }
        proxies
    }

    fn environment(
        &self,
        place: &Place,
        gateway: &Gateway,
        catcher: &Catcher,
        proxies: &BTreeMap<Link, Proxy>,
        folder: &Path,
        api_port: u16,
    ) -> Environment {
        fs::write(folder.join("settings.toml"), SETTINGS).unwrap();
        let through = |link, url| through(proxies, link, url);
        let path = |name: &str| folder.join(name).display().to_string();
        let mongodb = place.mongodb_url().to_owned();
        let gateway = format!("http://{}/", gateway.address());
        let smtp = format!("smtp+plain://{}", catcher.smtp());
        let mut environment: Environment = [
            ("BOXOFFICE_CONFIG", path("settings.toml")),
            (
                "BOXOFFICE__MYSQL__URL",
                mysql_through(proxies, Link::WorkersMysql, place),
            ),
            (
                "BOXOFFICE__AMQP__URL",
                through(Link::WorkersBroker, place.amqp_url()),
            ),
            ("BOXOFFICE__PARTNERS__AMQP_URL", place.partners_amqp_url()),
            (
                "BOXOFFICE__PARTNERS__MANAGEMENT_URL",
                place.management_url().to_owned(),
            ),
            (
                "BOXOFFICE__MONGODB__URL",
                through(Link::WorkersMongodb, mongodb),
            ),
            ("BOXOFFICE__MONGODB__DATABASE", place.name.clone()),
            (
                "BOXOFFICE__MONGODB__INITIATE_REPLICA_SET",
                "true".to_owned(),
            ),
            (
                "BOXOFFICE__GATEWAY__URL",
                through(Link::WorkersGateway, gateway),
            ),
            ("BOXOFFICE__GATEWAY__SECRET_KEY", SECRET_KEY.to_owned()),
            ("BOXOFFICE__SMTP__URL", through(Link::WorkersSmtp, smtp)),
            ("BOXOFFICE__API__LISTEN", format!("127.0.0.1:{api_port}")),
            (
                "BOXOFFICE__API__PUBLIC_URL",
                format!("http://127.0.0.1:{api_port}"),
            ),
            (
                "BOXOFFICE__API__WEBHOOK__SECRETS",
                WEBHOOK_SECRET.to_owned(),
            ),
            ("BOXOFFICE__KEYS__FOLDER", path("keys")),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        environment.extend(self.settings.clone());
        environment
    }
}

/// What is different for the API when it runs alone: its own links to the broker and to MySQL.
fn of_api(workers: &Environment, place: &Place, proxies: &BTreeMap<Link, Proxy>) -> Environment {
    let mut environment = workers.clone();
    let mysql = mysql_through(proxies, Link::ApiMysql, place);
    let amqp = through(proxies, Link::ApiBroker, place.amqp_url());
    environment.insert("BOXOFFICE__MYSQL__URL".to_owned(), mysql);
    environment.insert("BOXOFFICE__AMQP__URL".to_owned(), amqp);
    environment
}

fn through(proxies: &BTreeMap<Link, Proxy>, link: Link, url: String) -> String {
    match proxies.get(&link) {
        Some(proxy) => url.replacen(&host_of(&url), &proxy.address.to_string(), 1),
        None => url,
    }
}

/// Unencrypted where a proxy reads along; the servers offer TLS, and the driver would take it.
fn mysql_through(proxies: &BTreeMap<Link, Proxy>, link: Link, place: &Place) -> String {
    let url = through(proxies, link, place.mysql_url());
    let separator = if url.contains('?') { '&' } else { '?' };
    match proxies.get(&link) {
        Some(_) => format!("{url}{separator}ssl-mode=disabled"),
        None => url,
    }
}

/// The program with its settings, before it runs.
struct Prepared<'a> {
    program: &'a Path,
    /// Of the workers, of everything in one, and of the commands that prepare.
    environment: &'a Environment,
    routes: &'a [Route],
    of_api: &'a Environment,
    /// Past every proxy.
    direct: &'a Environment,
    only: Option<&'static str>,
    folder: &'a Path,
}

impl Prepared<'_> {
    /// What an operator does once, with the same commands.
    async fn prepare(&self) {
        let (keys, data) = (self.path("keys"), self.path("data"));
        let commands: [(&str, &[&str]); 4] = [
            ("keys", &["keys", &keys]),
            ("migrate", &["migrate"]),
            ("topology", &["topology", "declare"]),
            ("import", &["import", "all", &data]),
        ];
        for (name, arguments) in commands {
            self.process(name, arguments).run_to_end().await;
        }
    }

    fn processes(&self, roles: Roles) -> BTreeMap<String, Process> {
        let groups = match roles {
            Roles::InOne => {
                return BTreeMap::from([("all".to_owned(), self.process("all", &["all"]))]);
            }
            Roles::Apart(groups) => groups,
        };
        let api = self.process_in(self.of_api, "api", &["api"]);
        let mut processes = BTreeMap::from([("api".to_owned(), api)]);
        let named: Vec<&str> = groups.concat();
        let known = self.roles();
        let rest: Vec<&str> = known.lines().filter(|role| !named.contains(role)).collect();
        let all = groups
            .iter()
            .map(|group| (group[0], group.to_vec()))
            .chain([("rest", rest)]);
        for (name, workers) in all.filter(|(_, workers)| !workers.is_empty()) {
            let arguments = [&["worker", "run"], workers.as_slice()].concat();
            processes.insert(name.to_owned(), self.process(name, &arguments));
        }
        processes
    }

    /// All that there are, one per line.
    fn roles(&self) -> String {
        let mut list = Command::new(self.program);
        let list = list
            .args(["worker", "list"])
            .envs(self.environment)
            .output()
            .unwrap();
        String::from_utf8(list.stdout).unwrap()
    }

    fn process(&self, name: &str, arguments: &[&str]) -> Process {
        self.process_in(self.environment, name, arguments)
    }

    fn process_in(&self, environment: &Environment, name: &str, arguments: &[&str]) -> Process {
        let passes_by = self.only.is_some_and(|only| only != name);
        let environment = if passes_by { self.direct } else { environment };
        let mut environment = environment.clone();
        for route in self.routes.iter().filter(|route| (route.of)(name)) {
            for value in environment.values_mut() {
                *value = value.replace(&route.from, &route.to);
            }
        }
        Process::new(name, self.program, arguments, environment, self.folder)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// The `host:port` of a URL.
#[must_use]
pub fn host_of(url: &str) -> String {
    let url = reqwest::Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
}

fn issuer(keys: &Path) -> TokenIssuer {
    let private: PathBuf = keys.join("token-private.pem");
    let private = Secret::new(fs::read_to_string(private).unwrap());
    TokenIssuer::new(&private, &TokenConfig::default()).unwrap()
}

/// One provider for every client in this process; the second world finds it there.
fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
