use super::{invariants, say};
use crate::{
    schema::{self, Standing},
    settings::Settings,
};
use anyhow::Result;
use boxoffice_contracts::{planted, topology::QUEUES};
use boxoffice_jobs::queue_watch::{self, WatchConfig};
use boxoffice_runtime::{Broker, clock, drift, pool};
use boxoffice_store::mongo;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};
use std::process::ExitCode;

/// Check servers, their settings, topology, clock and keys, and say what to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    invariants: invariants::CheckArguments,
}

/// What a check found.
enum Finding {
    Fine(String),
    /// Works, but not as it was tested.
    Advice(String),
    Wrong(String),
}

use Finding::{Advice, Fine, Wrong};

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    if arguments.invariants.check_invariants {
        return invariants::run(&arguments.invariants, &settings).await;
    }
    let mut findings = Vec::new();
    if planted::POSSIBLE {
        findings.push(Advice(
            "boxoffice: a build for tests, in which bugs can be planted; it is not for customers"
                .to_owned(),
        ));
    }
    findings.extend(mysql(&settings).await);
    findings.extend(broker(&settings).await);
    findings.push(exporter(&settings).await);
    findings.extend(documents(&settings).await);
    findings.push(partners(&settings).await);
    findings.extend(keys(&settings));
    let mut code = ExitCode::SUCCESS;
    for finding in findings {
        match finding {
            Fine(text) => say(&format!("fine    {text}")),
            Advice(text) => say(&format!("advice  {text}")),
            Wrong(text) => {
                say(&format!("wrong   {text}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// Whose variable it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Both,
    MariaDb,
    MySql,
}

/// A variable of the server: name, the value that was tested, and why.
struct Variable {
    of: Of,
    name: &'static str,
    tested: &'static str,
    why: &'static str,
}

const fn variable(of: Of, name: &'static str, tested: &'static str, why: &'static str) -> Variable {
    Variable {
        of,
        name,
        tested,
        why,
    }
}

const VARIABLES: &[Variable] = &[
    variable(
        Of::Both,
        "innodb_flush_log_at_trx_commit",
        "1",
        "a commit survives a crash of the machine",
    ),
    variable(
        Of::Both,
        "sync_binlog",
        "1",
        "a replica gets what was committed",
    ),
    variable(
        Of::Both,
        "innodb_rollback_on_timeout",
        "1",
        "a lock timeout takes the whole transaction back",
    ),
    variable(
        Of::MariaDb,
        "max_statement_time",
        "5",
        "a stuck statement ends, in seconds",
    ),
    variable(
        Of::MariaDb,
        "idle_transaction_timeout",
        "10",
        "a forgotten transaction frees its locks, in seconds",
    ),
    variable(
        Of::MySql,
        "max_execution_time",
        "5000",
        "a stuck query ends, in milliseconds",
    ),
];

/// The oldest releases that are meant: of MariaDB the one that every test runs on, of MySQL the oldest
/// that is still maintained. See docs/servers.md.
const MARIADB_MIN: (u32, u32) = (10, 11);
const MYSQL_MIN: (u32, u32) = (8, 4);

fn version(text: &str) -> Finding {
    let (name, min) = if text.contains("MariaDB") {
        ("MariaDB", MARIADB_MIN)
    } else {
        ("MySQL", MYSQL_MIN)
    };
    // A proxy in front of MariaDB may say `5.5.5-` first, for old clients.
    let mut numbers = text
        .trim_start_matches("5.5.5-")
        .split(['.', '-'])
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= min => {
            Fine(format!("mysql: {name} {text}"))
        }
        _ => Advice(format!(
            "mysql: {name} {text} was not tested; use {} {}.{} or later",
            name, min.0, min.1
        )),
    }
}

async fn mysql(settings: &Settings) -> Vec<Finding> {
    let db = match pool::connect(&settings.mysql).await {
        Ok(db) => db,
        Err(error) => {
            return vec![Wrong(format!(
                "mysql: {error}. Is the server up, and are user and password right?"
            ))];
        }
    };
    let server = ask(&db, "SELECT VERSION()").await.unwrap_or_default();
    let mut findings = vec![version(&server)];
    let brand = if server.contains("MariaDB") {
        Of::MariaDb
    } else {
        Of::MySql
    };
    for variable in VARIABLES
        .iter()
        .filter(|variable| variable.of == Of::Both || variable.of == brand)
    {
        let Some(value) = ask(
            &db,
            &format!("SELECT CAST(@@GLOBAL.{} AS CHAR)", variable.name),
        )
        .await
        else {
            findings.push(Advice(format!("mysql: cannot read {}", variable.name)));
            continue;
        };
        let number = number(&value);
        if number.is_some() && number == variable.tested.parse::<f64>().ok() {
            findings.push(Fine(format!("mysql: {} = {value}", variable.name)));
        } else {
            let Variable {
                name, tested, why, ..
            } = variable;
            findings.push(Advice(format!(
                "mysql: {name} is {value}; set it to {tested}: {why}"
            )));
        }
    }
    findings.push(clock(&db).await);
    findings.push(schema_of(&db).await);
    findings
}

/// A variable's value; switches are written as words.
fn number(value: &str) -> Option<f64> {
    match value {
        "ON" => Some(1.0),
        "OFF" => Some(0.0),
        number => number.parse().ok(),
    }
}

/// The first column of the first row, as text.
async fn ask(db: &DatabaseConnection, statement: &str) -> Option<String> {
    let row = db
        .query_one_raw(Statement::from_string(DbBackend::MySql, statement))
        .await
        .ok()??;
    row.try_get_by_index(0).ok()
}

/// More than this between our clock and the database's, and tokens and signatures begin to fail.
const CLOCK_SKEW_MAX_MS: i64 = 2_000;

async fn clock(db: &DatabaseConnection) -> Finding {
    let now = clock::now();
    match ask(db, "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)").await {
        None => Wrong("clock: the database's cannot be read".to_owned()),
        Some(text) => match chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f") {
            Err(error) => Wrong(format!("clock: {text}: {error}")),
            Ok(theirs) => {
                let skew_ms = (now - theirs.and_utc()).num_milliseconds();
                if skew_ms.abs() > CLOCK_SKEW_MAX_MS {
                    Advice(format!(
                        "clock: {skew_ms} ms from the database's; run NTP on both"
                    ))
                } else {
                    Fine(format!("clock: {skew_ms} ms from the database's"))
                }
            }
        },
    }
}

async fn schema_of(db: &DatabaseConnection) -> Finding {
    match schema::standing(db).await {
        Ok(Standing::Same) => Fine("mysql: the schema is at this version".to_owned()),
        Ok(Standing::Behind(missing)) => Wrong(schema::told_behind(&missing)),
        Ok(Standing::Ahead(unknown)) => Advice(schema::told_ahead(&unknown)),
        Err(error) => Wrong(format!("mysql: {error}")),
    }
}

async fn broker(settings: &Settings) -> Vec<Finding> {
    let broker = match Broker::connect_first(&settings.amqp).await {
        Ok(broker) => broker,
        Err(error) => return vec![Wrong(format!("amqp: {error}"))],
    };
    let mut findings = vec![Fine("amqp: connected".to_owned())];
    let needed: Vec<_> = QUEUES.iter().collect();
    match drift(&broker, &needed).await {
        Ok(differences) if differences.is_empty() => {
            findings.push(Fine("amqp: the topology is as declared".to_owned()))
        }
        Ok(differences) => {
            findings.extend(differences.iter().map(|difference| {
                Wrong(format!("amqp: {difference}; see `boxoffice topology diff`"))
            }))
        }
        Err(error) => findings.push(Wrong(format!("amqp: {error}"))),
    }
    broker.close().await;
    findings
}

/// Depths and alerts on them come from the broker's exporter alone.
async fn exporter(settings: &Settings) -> Finding {
    let config = WatchConfig {
        exporters: settings.amqp.exporters(),
        vhost: settings.amqp.vhost_name(),
    };
    if config.exporters.is_empty() {
        return Advice(
            "amqp.prometheus_url: not set, so that nobody sees how deep a queue is; usually http://HOST:15692"
                .to_owned(),
        );
    }
    match queue_watch::check(&config).await {
        Ok(queues) => Fine(format!("amqp.prometheus_url: tells of {queues} queues")),
        Err(why) => Wrong(format!(
            "amqp.prometheus_url: {why}. Is it the broker's own port, and its plugin on? \
             `rabbitmq-plugins enable rabbitmq_prometheus`"
        )),
    }
}

async fn documents(settings: &Settings) -> Vec<Finding> {
    match mongo::connect(
        &settings.mongodb.url,
        &settings.mongodb.database,
        "boxoffice doctor",
    )
    .await
    {
        Err(error) => vec![Wrong(format!("mongodb.url: {error}"))],
        Ok(database) if mongo::is_up(&database).await => {
            vec![Fine("mongodb: there is a primary".to_owned())]
        }
        Ok(_) => vec![Wrong(
            "mongodb: no primary. Is it up, and a replica set? `boxoffice mongo initiate`"
                .to_owned(),
        )],
    }
}

async fn partners(settings: &Settings) -> Finding {
    let door = match settings.partners.door() {
        Err(error) => return Wrong(error.to_string()),
        Ok(None) => {
            return Fine(
                "partners: the door is closed; partners.management_url opens it".to_owned(),
            );
        }
        Ok(Some(door)) => door,
    };
    match door.is_open().await {
        Ok(true) => Fine(format!("partners: the vhost {} is there", door.vhost)),
        Ok(false) => Wrong(format!(
            "partners: there is no vhost {}; `boxoffice topology declare` makes it",
            door.vhost
        )),
        Err(error) => Wrong(format!("partners: {error}")),
    }
}

fn keys(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(match settings.api.validate() {
        Ok(()) => Fine("api: settings are complete".to_owned()),
        Err(error) => Wrong(format!(
            "{error}; `boxoffice keys DIR` makes keys, keys.folder names them"
        )),
    });
    findings.push(match crate::keys::seed(settings.tickets.seed.expose()) {
        Ok(_) => Fine("tickets: there is a key".to_owned()),
        Err(error) => Wrong(error.to_string()),
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_nobody_tested_is_named() {
        for fine in [
            "10.11.19-MariaDB-0+deb12u1",
            "5.5.5-10.11.6-MariaDB",
            "11.8.3-MariaDB",
            "8.4.7",
            "9.7.4-2",
        ] {
            assert!(matches!(version(fine), Fine(_)), "{fine}");
        }
        for other in ["10.6.22-MariaDB", "8.0.44", "5.7.44-log", ""] {
            assert!(matches!(version(other), Advice(_)), "{other}");
        }
    }
}
