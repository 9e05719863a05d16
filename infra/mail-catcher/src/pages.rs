//! The two pages. Mails are hostile input: every value passes [`Escaped`], the HTML of a mail is
//! shown in a frame without any right (`sandbox=""`), under the same policy as the page.

use std::fmt::{self, Display, Write as _};

use crate::mail::{Attachment, Detail, Summary};
use crate::store::Query;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:color-mix(in srgb,CanvasText 15%,Canvas)}\
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem .4rem 0;border-bottom:1px solid var(--line)}\
td,dd,pre{overflow-wrap:anywhere}pre{white-space:pre-wrap;font:14px/1.5 ui-monospace,monospace}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dd{margin:0}\
iframe{width:100%;height:40rem;border:1px solid var(--line);background:#fff}\
form{display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0}input,button{font:inherit;padding:.2rem .5rem}\
.quiet{opacity:.7}";

pub(crate) fn list(mails: &[Summary], total: usize, query: &Query) -> String {
    let rows = each(mails, |mail| {
        format!(
            "<tr><td><a href=\"/mail/{id}\">{subject}</a></td><td>{to}</td><td><time>{time}</time></td><td>{attached}</td></tr>",
            id = mail.id,
            subject = Escaped(subject(mail)),
            to = Escaped(&mail.to.join(", ")),
            time = mail.received_at.format("%Y-%m-%d %H:%M:%S UTC"),
            attached = each(&mail.attachments, |attachment| link(mail, attachment)
                + "<br>"),
        )
    });
    let table = if mails.is_empty() {
        "<p>No mail here yet. Whatever is sent to the SMTP port appears on this page.</p>"
            .to_owned()
    } else {
        format!(
            "<table><thead><tr><th>Subject<th>To<th>Received<th>Attachments</thead><tbody>{rows}</tbody></table>"
        )
    };
    page(
        "Caught mail",
        &format!(
            "<h1>Caught mail</h1><form method=\"get\" action=\"/\">\
             <label>To <input name=\"to\" value=\"{to}\"></label>\
             <label>Subject <input name=\"subject\" value=\"{subject}\"></label><button>Find</button></form>\
             <p class=\"quiet\">{shown} of {total} shown, newest first. Nothing was delivered to anybody.</p>{table}",
            to = Escaped(query.to.as_deref().unwrap_or_default()),
            subject = Escaped(query.subject.as_deref().unwrap_or_default()),
            shown = mails.len(),
        ),
    )
}

pub(crate) fn mail(detail: &Detail) -> String {
    let mail = &detail.summary;
    let mut body = String::from("<p><a href=\"/\">All mail</a></p>");
    body += &format!(
        "<h1>{subject}</h1><dl><dt>From<dd>{from}<dt>To<dd>{to}<dt>Received<dd>{time}\
         <dt>Size<dd>{size} bytes, <a href=\"/api/messages/{id}/raw\">raw</a></dl>",
        subject = Escaped(subject(mail)),
        from = Escaped(&mail.from),
        to = Escaped(&mail.to.join(", ")),
        time = mail.received_at.format("%Y-%m-%d %H:%M:%S UTC"),
        size = mail.size,
        id = mail.id,
    );
    if !mail.attachments.is_empty() {
        let items = each(&mail.attachments, |attachment| {
            format!("<li>{}", link(mail, attachment))
        });
        body += &format!("<h2>Attachments</h2><ul>{items}</ul>");
    }
    if let Some(html) = &detail.html {
        body += &format!(
            "<h2>HTML</h2><iframe title=\"HTML part\" sandbox=\"\" srcdoc=\"{}\"></iframe>",
            Escaped(html)
        );
    }
    if let Some(text) = &detail.text {
        body += &format!("<h2>Text</h2><pre>{}</pre>", Escaped(text));
    }
    let headers = each(&detail.headers, |header| {
        format!("{}: {}\n", Escaped(&header.name), Escaped(&header.value))
    });
    body += &format!("<details><summary>Headers</summary><pre>{headers}</pre></details>");
    page(subject(mail), &body)
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head><body>{body}</body></html>",
        Escaped(title)
    )
}

fn link(mail: &Summary, attachment: &Attachment) -> String {
    format!(
        "<a href=\"/api/messages/{}/attachments/{}\">{}</a> <span class=\"quiet\">{}, {} bytes</span>",
        mail.id,
        attachment.index,
        Escaped(&attachment.name),
        Escaped(&attachment.content_type),
        attachment.size
    )
}

fn subject(mail: &Summary) -> &str {
    mail.subject
        .as_deref()
        .filter(|subject| !subject.trim().is_empty())
        .unwrap_or("(no subject)")
}

fn each<T>(items: &[T], render: impl FnMut(&T) -> String) -> String {
    items.iter().map(render).collect()
}

/// Safe in text and in double-quoted attributes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::mail::{Envelope, Header, summary};

    const EVIL: &str = "\"'><script>alert(1)</script>";

    #[test]
    fn no_part_of_a_mail_becomes_markup() {
        let mut mail = summary(
            Uuid::now_v7(),
            Envelope {
                from: EVIL.into(),
                to: vec![EVIL.into()],
            },
            b"",
        );
        mail.subject = Some(EVIL.into());
        mail.attachments = vec![Attachment {
            index: 0,
            name: EVIL.into(),
            content_type: EVIL.into(),
            size: 1,
        }];
        let query = Query {
            to: Some(EVIL.into()),
            subject: Some(EVIL.into()),
            limit: None,
        };
        let listed = list(std::slice::from_ref(&mail), 1, &query);
        let detail = Detail {
            summary: mail,
            headers: vec![Header {
                name: EVIL.into(),
                value: EVIL.into(),
            }],
            text: Some(EVIL.into()),
            html: Some(EVIL.into()),
        };
        for page in [listed, super::mail(&detail)] {
            assert!(
                !page.contains("<script") && !page.contains("\"'>"),
                "{page}"
            );
        }
    }
}
