//! What a mail says, read from its bytes. Nothing here trusts them: a mail that cannot be parsed is
//! shown without subject, text or attachments, and its raw bytes stay readable.

use chrono::{DateTime, Utc};
use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders as _, PartType};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub id: Uuid,
    pub received_at: DateTime<Utc>,
    /// Sender and recipients of the SMTP envelope, which is what was really delivered.
    pub from: String,
    pub to: Vec<String>,
    pub subject: Option<String>,
    /// The `Message-ID` header, without its angle brackets.
    pub message_id: Option<String>,
    pub size: usize,
    pub attachments: Vec<Attachment>,
}

/// `GET /api/messages/{id}/attachments/{index}` gives the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub index: usize,
    pub name: String,
    pub content_type: String,
    pub size: usize,
}

/// The whole mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    #[serde(flatten)]
    pub summary: Summary,
    pub headers: Vec<Header>,
    pub text: Option<String>,
    pub html: Option<String>,
}

/// A header as it was sent: unfolded, but not decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub name: String,
    pub value: String,
}

/// Sender and recipients as SMTP named them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
}

/// Ids are UUIDv7, so the id also tells when the mail came.
pub(crate) fn summary(id: Uuid, envelope: Envelope, raw: &[u8]) -> Summary {
    let message = MessageParser::default().parse(raw);
    let message = message.as_ref();
    Summary {
        id,
        received_at: received_at(id),
        from: envelope.from,
        to: envelope.to,
        subject: message.and_then(Message::subject).map(str::to_owned),
        message_id: message.and_then(Message::message_id).map(str::to_owned),
        size: raw.len(),
        attachments: message.map(attachments).unwrap_or_default(),
    }
}

pub(crate) fn detail(summary: Summary, raw: &[u8]) -> Detail {
    let message = MessageParser::default().parse(raw);
    let message = message.as_ref();
    Detail {
        summary,
        headers: message.map(headers).unwrap_or_default(),
        text: message.and_then(text),
        html: message.and_then(html),
    }
}

pub(crate) fn attachment(raw: &[u8], index: usize) -> Option<(Attachment, Vec<u8>)> {
    let message = MessageParser::default().parse(raw)?;
    let part = message.attachments().nth(index)?;
    Some((describe((index, part)), part.contents().to_vec()))
}

fn attachments(message: &Message<'_>) -> Vec<Attachment> {
    message.attachments().enumerate().map(describe).collect()
}

fn describe((index, part): (usize, &MessagePart<'_>)) -> Attachment {
    Attachment {
        index,
        name: part
            .attachment_name()
            .map_or_else(|| format!("attachment-{index}"), str::to_owned),
        content_type: part.content_type().map_or_else(
            || "application/octet-stream".to_owned(),
            |kind| match kind.subtype() {
                Some(subtype) => format!("{}/{subtype}", kind.ctype()),
                None => kind.ctype().to_owned(),
            },
        ),
        size: part.contents().len(),
    }
}

fn headers(message: &Message<'_>) -> Vec<Header> {
    message
        .headers_raw()
        .map(|(name, value)| Header {
            name: name.to_owned(),
            value: value.split_whitespace().collect::<Vec<_>>().join(" "),
        })
        .collect()
}

fn text(message: &Message<'_>) -> Option<String> {
    message.text_bodies().find_map(|part| match &part.body {
        PartType::Text(text) => Some(text.to_string()),
        _ => None,
    })
}

fn html(message: &Message<'_>) -> Option<String> {
    message.html_bodies().find_map(|part| match &part.body {
        PartType::Html(html) => Some(html.to_string()),
        _ => None,
    })
}

fn received_at(id: Uuid) -> DateTime<Utc> {
    id.get_timestamp()
        .and_then(|timestamp| {
            let (seconds, nanoseconds) = timestamp.to_unix();
            DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"From: Box <noreply@example.org>\r\nTo: ada@example.org\r\n\
        Subject: =?utf-8?B?0JHQuNC70LXRgtGL?=\r\nMessage-ID: <b1@example.org>\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=m\r\n\r\n\
        --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
        --a\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
        --a\r\nContent-Type: text/html\r\n\r\n<b>hello</b>\r\n--a--\r\n\
        --m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"t.pdf\"\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--m--\r\n";

    #[test]
    fn a_mail_is_read_whole() {
        let id = Uuid::now_v7();
        let summary = summary(id, Envelope::default(), MAIL);
        assert_eq!(summary.subject.as_deref(), Some("Билеты"));
        assert_eq!(summary.message_id.as_deref(), Some("b1@example.org"));
        let pdf = Attachment {
            index: 0,
            name: "t.pdf".into(),
            content_type: "application/pdf".into(),
            size: 4,
        };
        assert_eq!(summary.attachments, [pdf]);

        let detail = detail(summary, MAIL);
        assert_eq!(detail.text.as_deref(), Some("hello"));
        assert_eq!(detail.html.as_deref(), Some("<b>hello</b>"));
        assert!(
            detail
                .headers
                .iter()
                .any(|header| header.name == "To" && header.value == "ada@example.org")
        );
        assert_eq!(
            attachment(MAIL, 0).map(|(_, bytes)| bytes).as_deref(),
            Some(&b"%PDF"[..])
        );
        assert_eq!(attachment(MAIL, 1), None);
    }

    #[test]
    fn rubbish_is_shown_as_what_it_is() {
        let raw = b"\xff\xfe\0 not a mail";
        let summary = summary(Uuid::now_v7(), Envelope::default(), raw);
        assert_eq!(
            (summary.subject.as_deref(), summary.size),
            (None, raw.len())
        );
        detail(summary, raw);
    }
}
