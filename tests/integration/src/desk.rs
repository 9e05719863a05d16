//! The stores of one test and the program, before any worker runs: for commands that only read and store.

use crate::{
    process::Environment,
    services::{Place, Services},
};
use boxoffice_runtime::{DatabaseConfig, pool};
use mongodb::Database;
use sea_orm::DatabaseConnection;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

pub struct Desk {
    place: Place,
    program: PathBuf,
    environment: Environment,
    /// For files that a test makes.
    pub folder: PathBuf,
    pub db: DatabaseConnection,
    pub documents: Database,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
}

impl Ended {
    /// Standard output as the one object that `--format json` promises.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Desk {
    /// With the schema, and nothing in it.
    pub async fn open() -> Self {
        let services = Services::from_env();
        let place = Place::create(&services).await;
        let folder = std::env::temp_dir()
            .join("boxoffice-tests")
            .join(&place.name);
        fs::create_dir_all(&folder).unwrap();
        let environment = [
            ("BOXOFFICE__MYSQL__URL", place.mysql_url()),
            ("BOXOFFICE__MONGODB__URL", place.mongodb_url().to_owned()),
            ("BOXOFFICE__MONGODB__DATABASE", place.name.clone()),
            (
                "BOXOFFICE__MONGODB__INITIATE_REPLICA_SET",
                "true".to_owned(),
            ),
        ];
        let config = DatabaseConfig {
            url: place.mysql_url(),
            ..DatabaseConfig::default()
        };
        let desk = Self {
            program: services.programs.join("boxoffice"),
            environment: environment
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            folder,
            db: pool::connect(&config).await.unwrap(),
            documents: place.documents().await,
            place,
        };
        let migrated = desk.run(&["migrate"]);
        assert_eq!(migrated.code, 0, "{migrated:?}");
        desk
    }

    /// Runs `boxoffice …` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let output = Command::new(&self.program)
            .args(arguments)
            .envs(&self.environment)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ended = Ended {
            code: output.status.code().unwrap(),
            stdout: text(output.stdout),
        };
        assert!(
            ended.code == 0 || !ended.stdout.is_empty(),
            "{arguments:?} said only {}",
            text(output.stderr)
        );
        ended
    }

    /// Writes a file into the folder and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    pub async fn close(self) {
        self.db.close().await.unwrap();
        self.place.destroy().await;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A file of `tests/integration/data`.
#[must_use]
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name)
}
