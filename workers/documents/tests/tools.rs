//! What programs of others say of our documents: poppler, qpdf and zbar, which `cargo xtask test` installs.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use boxoffice_documents::{Language, TicketDocument, ticket_pdf::render, token};
use common::{NASTY, TERMS, booking, keys, starts_at};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[test]
fn other_programs_read_in_the_document_what_was_booked() {
    let folder = Folder::new();
    for (number, &(title, venue, address)) in NASTY.iter().enumerate() {
        let document = TicketDocument {
            venue_name: venue.to_owned(),
            venue_address: address.to_owned(),
            terms: TERMS.to_owned(),
            language: Language::ALL[number % 2],
            ..booking(title)
        };
        let file = folder.0.join(format!("{number}.pdf"));
        fs::write(&file, render(&document).unwrap()).unwrap();

        let checked = run("qpdf", &["--check", path(&file)]);
        assert!(
            checked.contains("No syntax or stream encoding errors"),
            "{checked}"
        );
        let info = run("pdfinfo", &[path(&file)]);
        assert!(
            info.contains(&format!("{title} – {}", document.reference)),
            "{info}"
        );
        assert!(info.contains("Pages:           2"), "{info}");

        for (index, seat) in document.pages.iter().enumerate() {
            let page = (index + 1).to_string();
            let text = run("pdftotext", &["-f", &page, "-l", &page, path(&file), "-"]);
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let facts = [
                title,
                venue,
                address,
                &document.reference,
                &seat.serial,
                &seat.seat,
            ];
            for fact in facts
                .into_iter()
                .chain(["Stalls", "Premium", "CET (UTC+01:00)"])
            {
                assert!(text.contains(fact), "{fact}: {text}");
            }
            assert_eq!(scanned(&file, &page), seat.qr_payload);
            token::verify(&seat.qr_payload, &keys(), starts_at()).unwrap();
        }
    }
}

/// What zbar reads off a page as a cheap printer or a screen shows it.
fn scanned(file: &Path, page: &str) -> String {
    let picture = file.with_extension(page);
    let to = [
        "-f",
        page,
        "-l",
        page,
        "-r",
        "150",
        "-gray",
        "-png",
        "-singlefile",
    ];
    run(
        "pdftoppm",
        &[&to[..], &[path(file), path(&picture)]].concat(),
    );
    let picture = picture.with_extension(format!("{page}.png"));
    let read = run("zbarimg", &["--quiet", "--raw", path(&picture)]);
    read.strip_suffix('\n').unwrap().to_owned()
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "{program}: {error}; `cargo xtask test` installs poppler-utils, qpdf and zbar-tools"
            )
        });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("boxoffice-tools-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
