//! How a world is made: what a test wants different, and the steps from nothing to a running box office.

use crate::{
    customer::Journal,
    fixture::{self, Show},
    gateway::{Gateway, SECRET_KEY, WEBHOOK_SECRET},
    process::{Environment, Process, free_port},
    proxy::{Link, Proxy},
    services::{Place, Services, set},
    world::World,
};
use boxoffice_api::{
    config::{Secret, TokenConfig},
    token::TokenIssuer,
};
use boxoffice_mail_catcher::{Catcher, Options};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
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
    /// The gateway sends its webhooks to the API itself.
    async fn start() -> Self {
        let api_port = free_port();
        let webhooks = format!("http://127.0.0.1:{api_port}/v1/webhooks/stripe");
        Self::start_with(api_port, webhooks).await
    }

    /// The gateway sends its webhooks to this URL.
    pub async fn start_with(api_port: u16, webhooks: String) -> Self {
        let options = Options::default();
        Self {
            gateway: Gateway::start(webhooks).await,
            catcher: boxoffice_mail_catcher::spawn(options).await.unwrap(),
            api_port,
        }
    }
}

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
        let parties = match self.parties.take() {
            Some(parties) => parties,
            None => Parties::start().await,
        };
        let Parties {
            gateway,
            catcher,
            api_port,
        } = parties;
        let proxies = self.proxies(&place, &gateway, &catcher).await;
        let environment = self.environment(&place, &gateway, &catcher, &proxies, &folder, api_port);
        let mut shows = self.shows;
        fixture::write(&folder.join("data"), &shows);
        let program = self.services.programs.join("boxoffice");
        let ready = Prepared {
            program: &program,
            environment: &environment,
            routes: &self.routes,
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

    async fn proxies(
        &self,
        place: &Place,
        gateway: &Gateway,
        catcher: &Catcher,
    ) -> BTreeMap<Link, Proxy> {
        let mut proxies = BTreeMap::new();
        for link in &self.links {
            let target = match link {
                Link::Mysql => host_of(&place.mysql_url()),
                Link::Mongodb => host_of(place.mongodb_url()),
                Link::Amqp => host_of(&place.amqp_url()),
                Link::Smtp => catcher.smtp().to_string(),
                Link::Gateway => gateway.address(),
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
        let through = |link, url: String| match proxies.get(&link) {
            Some(proxy) => url.replacen(&host_of(&url), &proxy.address.to_string(), 1),
            None => url,
        };
        let path = |name: &str| folder.join(name).display().to_string();
        let mongodb = place.mongodb_url().to_owned();
        let gateway = format!("http://{}/", gateway.address());
        let smtp = format!("smtp+plain://{}", catcher.smtp());
        let mut environment: Environment = [
            ("BOXOFFICE_CONFIG", path("settings.toml")),
            (
                "BOXOFFICE__MYSQL__URL",
                through(Link::Mysql, place.mysql_url()),
            ),
            (
                "BOXOFFICE__AMQP__URL",
                through(Link::Amqp, place.amqp_url()),
            ),
            ("BOXOFFICE__PARTNERS__AMQP_URL", place.partners_amqp_url()),
            (
                "BOXOFFICE__PARTNERS__MANAGEMENT_URL",
                place.management_url().to_owned(),
            ),
            ("BOXOFFICE__MONGODB__URL", through(Link::Mongodb, mongodb)),
            ("BOXOFFICE__MONGODB__DATABASE", place.name.clone()),
            (
                "BOXOFFICE__MONGODB__INITIATE_REPLICA_SET",
                "true".to_owned(),
            ),
            ("BOXOFFICE__GATEWAY__URL", through(Link::Gateway, gateway)),
            ("BOXOFFICE__GATEWAY__SECRET_KEY", SECRET_KEY.to_owned()),
            ("BOXOFFICE__SMTP__URL", through(Link::Smtp, smtp)),
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

/// The program with its settings, before it runs.
struct Prepared<'a> {
    program: &'a Path,
    environment: &'a Environment,
    routes: &'a [Route],
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
        let mut processes = BTreeMap::from([("api".to_owned(), self.process("api", &["api"]))]);
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
        let mut environment = self.environment.clone();
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
