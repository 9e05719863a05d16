use super::*;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A server that answers each command by its first word; `""` is silence, `"!"` hangs up.
async fn server(script: &'static [(&'static str, &'static str)]) -> SmtpServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, script));
        }
    });
    let timeout = Duration::from_millis(300);
    SmtpServer::new(SmtpConfig {
        timeout,
        ..SmtpConfig::new("127.0.0.1", port, SmtpTls::None)
    })
}

async fn serve(stream: TcpStream, script: &[(&str, &str)]) {
    let mut stream = BufReader::new(stream);
    let answer = |word: &str| {
        script
            .iter()
            .find(|(command, _)| *command == word)
            .map(|(_, text)| *text)
    };
    let mut word = "greeting".to_owned();
    loop {
        let usual = match word.as_str() {
            "greeting" => "220 hello",
            "DATA" => "354 go on",
            _ => "250 ok",
        };
        match answer(&word).unwrap_or(usual) {
            "" => {}
            "!" => return,
            text => stream
                .write_all(format!("{text}\r\n").as_bytes())
                .await
                .unwrap(),
        }
        if word == "DATA" {
            let mut line = String::new();
            while line != ".\r\n" {
                line.clear();
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            word = "message".to_owned();
            continue;
        }
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        word = line
            .split([' ', '\r', ':'])
            .next()
            .unwrap_or_default()
            .to_owned();
    }
}

async fn send(server: &SmtpServer) -> Result<(), Refusal> {
    let envelope = Envelope::new(
        Some("tickets@house.example".parse().unwrap()),
        vec!["ada@example.org".parse().unwrap()],
    );
    server
        .send(&envelope.unwrap(), b"Subject: x\r\n\r\nbody\r\n")
        .await
}

#[tokio::test]
async fn a_mail_is_taken_and_its_connection_kept() {
    let server = server(&[]).await;
    assert_eq!(send(&server).await, Ok(()));
    assert_eq!(server.idle.lock().unwrap().len(), 1);
    assert_eq!(send(&server).await, Ok(()));
    assert_eq!(server.idle.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn each_refusal_is_told_apart() {
    let cases: [(&'static [(&str, &str)], Refusal); 8] = [
        (
            &[("RCPT", "451 try later")],
            Refusal::Later("smtp_451 to RCPT".to_owned()),
        ),
        (
            &[("message", "452 disk full")],
            Refusal::Later("smtp_452 to message".to_owned()),
        ),
        (
            &[("RCPT", "550 ada@example.org unknown")],
            Refusal::Never("smtp_550".to_owned()),
        ),
        (
            &[("message", "554 spam")],
            Refusal::Never("smtp_554".to_owned()),
        ),
        (
            &[("MAIL", "530 log in")],
            Refusal::Later("smtp_530 to MAIL".to_owned()),
        ),
        (
            &[("message", "")],
            Refusal::Unknown("no answer to message in time".to_owned()),
        ),
        (
            &[("message", "!")],
            Refusal::Unknown("no answer to message".to_owned()),
        ),
        (
            &[("greeting", "554 go away")],
            Refusal::Unreachable("smtp_554 at the greeting".to_owned()),
        ),
    ];
    for (script, refusal) in cases {
        assert_eq!(
            send(&server(script).await).await,
            Err(refusal),
            "{script:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_on_one_mail_only_is_not_down() {
    let picky = server(&[("RCPT", "!")]).await;
    assert_eq!(
        send(&picky).await,
        Err(Refusal::Later("no answer to RCPT".to_owned()))
    );
    let silent = server(&[("greeting", "")]).await;
    assert!(matches!(send(&silent).await, Err(Refusal::Unreachable(_))));
    assert!(!silent.is_up().await);
}

#[tokio::test]
async fn nobody_listening_is_an_outage() {
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = SmtpServer::new(SmtpConfig::new("127.0.0.1", port, SmtpTls::None));
    assert_eq!(
        send(&server).await,
        Err(Refusal::Unreachable("no connection".to_owned()))
    );
}

#[tokio::test]
async fn a_connection_that_was_given_up_on_is_never_used_again() {
    let server = server(&[("message", "")]).await;
    assert!(matches!(send(&server).await, Err(Refusal::Unknown(_))));
    assert!(server.idle.lock().unwrap().is_empty());
}

/// lettre ends a mail with a write of its own; on a stream that waits for acknowledgements that is 40 ms later.
#[tokio::test]
async fn the_end_of_a_mail_does_not_wait_for_an_acknowledgement() {
    let server = server(&[]).await;
    let mut took = Vec::new();
    for _ in 0..21 {
        let begun = Instant::now();
        assert_eq!(send(&server).await, Ok(()));
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    assert!(took[10] < Duration::from_millis(30), "{took:?}");
}

#[tokio::test]
async fn mails_begin_one_after_the_other_at_their_pace() {
    const GAP: Duration = Duration::from_millis(40);
    let mut server = server(&[]).await;
    server.config.gap = GAP;
    let begun = Instant::now();
    let sent = futures::future::join_all((0..6).map(|_| send(&server))).await;
    assert_eq!(sent, vec![Ok(()); 6]);
    // The first at once, and one more for the time before it.
    assert!(begun.elapsed() >= 4 * GAP, "{:?}", begun.elapsed());
}
