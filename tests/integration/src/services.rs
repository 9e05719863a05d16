//! The servers that all tests share, and the part of them that one test owns.

use boxoffice_runtime::{DatabaseConfig, pool};
use mongodb::Database;
use reqwest::{Client, StatusCode, Url};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use std::{env, path::PathBuf, time::Duration};

/// What `cargo xtask test` tells the tests.
#[derive(Debug, Clone)]
pub struct Services {
    /// Without a schema.
    pub mysql: String,
    /// Without a vhost.
    pub amqp: String,
    /// The broker's management API, with user and password.
    pub management: String,
    pub mongodb: String,
    /// Where the built programs lie.
    pub programs: PathBuf,
}

impl Services {
    /// Fails the test when they are not named: a test that skips is no test.
    #[must_use]
    pub fn from_env() -> Self {
        Self {
            mysql: set("BOXOFFICE_TEST_MYSQL_URL"),
            amqp: set("BOXOFFICE_TEST_AMQP_URL"),
            management: set("BOXOFFICE_TEST_MANAGEMENT_URL"),
            mongodb: set("BOXOFFICE_TEST_MONGODB_URL"),
            programs: set("BOXOFFICE_TEST_BIN_DIR").into(),
        }
    }
}

/// A variable that the tests need.
#[must_use]
pub fn set(name: &str) -> String {
    match env::var(name) {
        Ok(value) if !value.is_empty() => value.trim_end_matches('/').to_owned(),
        _ => panic!(
            "{name} is not set. Run the tests with `cargo xtask test`; by hand, \
             `eval \"$(cargo xtask services up)\"` and set BOXOFFICE_TEST_BIN_DIR to the folder of the programs."
        ),
    }
}

/// The schema, the vhost and the MongoDB database of one test, all of the same name.
#[derive(Debug, Clone)]
pub struct Place {
    services: Services,
    pub name: String,
}

/// A statement of the harness may wait that long for a connection.
const ACQUIRE: Duration = Duration::from_secs(20);

impl Place {
    /// Makes schema and vhost; MongoDB makes databases by itself.
    pub async fn create(services: &Services) -> Self {
        let name = format!("bx_{}", uuid::Uuid::new_v4().simple());
        let place = Self {
            services: services.clone(),
            name,
        };
        place
            .sql(&format!(
                "CREATE DATABASE {} CHARACTER SET utf8mb4",
                place.name
            ))
            .await;
        let user = Url::parse(&services.amqp).unwrap().username().to_owned();
        for vhost in [place.name.clone(), place.partners_vhost()] {
            place
                .manage(reqwest::Method::PUT, &format!("/api/vhosts/{vhost}"), "{}")
                .await;
            let all = r#"{"configure":".*","write":".*","read":".*"}"#;
            let permissions = format!("/api/permissions/{vhost}/{user}");
            place.manage(reqwest::Method::PUT, &permissions, all).await;
        }
        place
    }

    /// Beside the house's own vhost.
    #[must_use]
    pub fn partners_vhost(&self) -> String {
        format!("{}-partners", self.name)
    }

    /// As the gate connects.
    #[must_use]
    pub fn partners_amqp_url(&self) -> String {
        format!("{}/{}", self.services.amqp, self.partners_vhost())
    }

    #[must_use]
    pub fn mysql_url(&self) -> String {
        format!("{}/{}", self.services.mysql, self.name)
    }

    #[must_use]
    pub fn amqp_url(&self) -> String {
        format!("{}/{}", self.services.amqp, self.name)
    }

    #[must_use]
    pub fn mongodb_url(&self) -> &str {
        &self.services.mongodb
    }

    #[must_use]
    pub fn management_url(&self) -> &str {
        &self.services.management
    }

    /// A small pool on the schema, past every proxy.
    pub async fn database(&self) -> DatabaseConnection {
        connect(self.mysql_url()).await
    }

    pub async fn documents(&self) -> Database {
        let client = mongodb::Client::with_uri_str(self.mongodb_url())
            .await
            .unwrap();
        client.database(&self.name)
    }

    /// Takes everything away again.
    pub async fn destroy(&self) {
        self.forget_partners().await;
        self.sql(&format!("DROP DATABASE IF EXISTS {}", self.name))
            .await;
        for vhost in [self.name.clone(), self.partners_vhost()] {
            let vhost = format!("/api/vhosts/{vhost}");
            self.manage(reqwest::Method::DELETE, &vhost, "").await;
        }
        self.documents().await.drop().await.unwrap();
    }

    /// Users are the whole broker's: what the vhost takes along is only their rights.
    async fn forget_partners(&self) {
        let db = self.database().await;
        let users = "SELECT CONCAT(partner_id, '.', serial) FROM partner_credentials";
        let users = Statement::from_string(DbBackend::MySql, users);
        // A place that was never migrated has no partners.
        for row in db.query_all_raw(users).await.unwrap_or_default() {
            let user: String = row.try_get_by_index(0).unwrap();
            let path = format!("/api/users/{user}");
            self.manage(reqwest::Method::DELETE, &path, "").await;
        }
        db.close().await.unwrap();
    }

    async fn sql(&self, statement: &str) {
        let db = connect(self.services.mysql.clone()).await;
        db.execute_unprepared(statement).await.unwrap();
        db.close().await.unwrap();
    }

    /// Asks the management API; a thing that is gone already may be deleted.
    pub async fn manage(&self, method: reqwest::Method, path: &str, body: &str) -> String {
        let url = format!("{}{path}", self.services.management);
        let request = Client::new()
            .request(method, &url)
            .header("content-type", "application/json")
            .header("x-reason", "a test")
            .body(body.to_owned());
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let fine = status.is_success() || status == StatusCode::NOT_FOUND;
        assert!(
            fine,
            "{path} of the management API answered {status}: {text}"
        );
        text
    }
}

async fn connect(url: String) -> DatabaseConnection {
    let config = DatabaseConfig {
        url,
        connections_max: 4,
        acquire_timeout_ms: u64::try_from(ACQUIRE.as_millis()).unwrap(),
        ..DatabaseConfig::default()
    };
    pool::connect(&config).await.unwrap()
}
