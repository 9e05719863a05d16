//! The catcher as its users meet it: a raw SMTP conversation on one side, HTTP on the other.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use boxoffice_mail_catcher::{
    Catcher, Detail, Fault, FaultKind, Limits, Options, Query, Summary, spawn,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);
const MAIL: &str = "From: Box <noreply@example.org>\r\nTo: ada@example.org\r\nSubject: Your tickets\r\n\r\n..dotted\r\nhello\r\n";

#[tokio::test]
async fn a_mail_arrives_and_is_read_over_http() {
    let catcher = spawn(Options::default()).await.unwrap();
    assert!(
        Client::connect(&catcher)
            .await
            .send("ada@example.org", MAIL)
            .await
            .starts_with("250 ")
    );

    let listed: Vec<Summary> = get(&catcher, "/api/messages?to=ada@&subject=tickets&limit=5").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].to.as_slice(), listed[0].from.as_str()),
        (&["ada@example.org".into()][..], "box@example.org")
    );

    let mail: Detail = get(&catcher, &format!("/api/messages/{}", listed[0].id)).await;
    assert_eq!(mail.text.as_deref(), Some(".dotted\r\nhello\r\n"));
    assert!(page(&catcher, "/").await.contains("Your tickets"));
    assert!(
        page(&catcher, &format!("/mail/{}", listed[0].id))
            .await
            .contains("hello")
    );
    assert_eq!(page(&catcher, "/healthz").await, "ok");
}

#[tokio::test]
async fn a_mail_is_on_disk_before_it_is_answered() {
    let folder = std::env::temp_dir().join(format!("mail-catcher-test-{}", std::process::id()));
    let catcher = spawn(Options {
        data: Some(folder.clone()),
        ..Options::default()
    })
    .await
    .unwrap();
    let mut client = Client::connect(&catcher).await;
    for count in 1..=5 {
        assert!(
            client
                .send("ada@example.org", MAIL)
                .await
                .starts_with("250 ")
        );
        let stored = std::fs::read_dir(&folder).unwrap();
        let whole = stored
            .filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "eml")
            .count();
        assert_eq!(whole, count);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_mail_that_cannot_be_stored_is_not_accepted_and_the_session_goes_on() {
    let folder = std::env::temp_dir().join(format!("mail-catcher-gone-{}", std::process::id()));
    let catcher = spawn(Options {
        data: Some(folder.clone()),
        ..Options::default()
    })
    .await
    .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let mut client = Client::connect(&catcher).await;
    assert!(
        client
            .send("ada@example.org", MAIL)
            .await
            .starts_with("451 ")
    );
    std::fs::create_dir(&folder).unwrap();
    assert!(
        client
            .send("ada@example.org", MAIL)
            .await
            .starts_with("250 ")
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn greylisting_refuses_the_first_tries_and_then_accepts() {
    let catcher = spawn(Options::default()).await.unwrap();
    put_fault(&catcher, r#"{"kind": "greylist_451", "times": 2}"#).await;
    let mut client = Client::connect(&catcher).await;
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(client.send("ada@example.org", MAIL).await[..3].to_owned());
    }
    assert_eq!(codes, ["451", "451", "250"]);
}

#[tokio::test]
async fn a_rejected_recipient_does_not_trouble_the_others() {
    let catcher = spawn(Options::default()).await.unwrap();
    put_fault(
        &catcher,
        r#"{"kind": "reject_550", "recipient": "ada@example.org"}"#,
    )
    .await;
    let mut client = Client::connect(&catcher).await;
    assert!(
        client
            .send("ada@example.org", MAIL)
            .await
            .starts_with("550 ")
    );
    assert!(
        client
            .send("bob@example.org", MAIL)
            .await
            .starts_with("250 ")
    );
}

#[tokio::test]
async fn hanging_after_data_keeps_the_mail_and_says_nothing() {
    let catcher = spawn(Options::default()).await.unwrap();
    catcher
        .faults()
        .put(Fault::new(FaultKind::HangAfterData).times(1));
    let mut client = Client::connect(&catcher).await;
    assert!(
        timeout(
            Duration::from_millis(300),
            client.send("ada@example.org", MAIL)
        )
        .await
        .is_err()
    );
    assert_eq!(
        catcher
            .wait_for("ada@example.org", 1, SOON)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn hanging_before_keeps_nothing() {
    let catcher = spawn(Options::default()).await.unwrap();
    catcher
        .faults()
        .put(Fault::new(FaultKind::HangBefore).times(1));
    let mut client = Client::connect(&catcher).await;
    assert!(
        timeout(
            Duration::from_millis(300),
            client.send("ada@example.org", MAIL)
        )
        .await
        .is_err()
    );
    assert!(
        Client::connect(&catcher)
            .await
            .send("bob@example.org", MAIL)
            .await
            .starts_with("250 ")
    );
    let kept: Vec<_> = catcher
        .store()
        .list(&Query::default())
        .into_iter()
        .flat_map(|mail| mail.to)
        .collect();
    assert_eq!(kept, ["bob@example.org"]);
}

#[tokio::test]
async fn a_slow_server_answers_late() {
    let catcher = spawn(Options::default()).await.unwrap();
    put_fault(&catcher, r#"{"kind": "slow", "delay_ms": 300, "times": 1}"#).await;
    let before = tokio::time::Instant::now();
    assert!(
        Client::connect(&catcher)
            .await
            .send("ada@example.org", MAIL)
            .await
            .starts_with("250 ")
    );
    assert!(before.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_mail_that_is_too_big_is_refused_and_the_session_goes_on() {
    let limits = Limits {
        mail_bytes_max: 1_000,
        ..Limits::default()
    };
    let catcher = spawn(Options {
        limits,
        ..Options::default()
    })
    .await
    .unwrap();
    let mut client = Client::connect(&catcher).await;
    assert!(
        client
            .send("ada@example.org", &"0123456789\r\n".repeat(100))
            .await
            .starts_with("552 ")
    );
    assert!(
        client
            .send("ada@example.org", MAIL)
            .await
            .starts_with("250 ")
    );
}

#[tokio::test]
async fn faults_are_listed_deleted_and_checked() {
    let catcher = spawn(Options::default()).await.unwrap();
    put_fault(&catcher, r#"{"kind": "hang_after_data"}"#).await;
    let listed: Vec<Fault> = get(&catcher, "/api/faults").await;
    assert_eq!(listed, [Fault::new(FaultKind::HangAfterData)]);
    let url = format!("http://{}/api/faults", catcher.http());
    let (deleted, refused) = tokio::task::spawn_blocking(move || {
        let deleted = ureq::delete(&url).call().unwrap().status();
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let body = r#"{"kind": "explode"}"#;
        (
            deleted,
            agent
                .put(&url)
                .header("content-type", "application/json")
                .send(body)
                .unwrap()
                .status(),
        )
    })
    .await
    .unwrap();
    assert_eq!((deleted.as_u16(), refused.as_u16()), (204, 400));
    assert_eq!(catcher.faults().list(), []);
}

struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    async fn connect(catcher: &Catcher) -> Self {
        let mut client = Self {
            stream: BufReader::new(TcpStream::connect(catcher.smtp()).await.unwrap()),
        };
        assert!(client.answer().await.starts_with("220 "));
        assert!(client.say("EHLO test.localhost").await.starts_with("250 "));
        client
    }

    /// The first refusal, or the answer to the data.
    async fn send(&mut self, to: &str, mail: &str) -> String {
        assert!(self.say("RSET").await.starts_with("250 "));
        assert!(
            self.say("MAIL FROM:<box@example.org>")
                .await
                .starts_with("250 ")
        );
        let answer = self.say(&format!("RCPT TO:<{to}>")).await;
        if !answer.starts_with("250 ") {
            return answer;
        }
        assert!(self.say("DATA").await.starts_with("354 "));
        self.stream
            .get_mut()
            .write_all(mail.as_bytes())
            .await
            .unwrap();
        self.say(".").await
    }

    async fn say(&mut self, line: &str) -> String {
        self.stream
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .await
            .unwrap();
        self.answer().await
    }

    /// The last line of an answer of several.
    async fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(
                self.stream.read_line(&mut line).await.unwrap() > 0,
                "the server hung up"
            );
            if line.as_bytes()[3] == b' ' {
                return line;
            }
        }
    }
}

async fn page(catcher: &Catcher, path: &str) -> String {
    let url = format!("http://{}{path}", catcher.http());
    tokio::task::spawn_blocking(move || {
        let mut response = ureq::get(&url).call().unwrap();
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"));
        response.body_mut().read_to_string().unwrap()
    })
    .await
    .unwrap()
}

async fn get<T: serde::de::DeserializeOwned>(catcher: &Catcher, path: &str) -> T {
    serde_json::from_str(&page(catcher, path).await).unwrap()
}

async fn put_fault(catcher: &Catcher, body: &'static str) {
    let url = format!("http://{}/api/faults", catcher.http());
    let put = move || {
        ureq::put(&url)
            .header("content-type", "application/json")
            .send(body)
            .unwrap()
            .status()
    };
    assert_eq!(
        tokio::task::spawn_blocking(put).await.unwrap().as_u16(),
        200
    );
}
