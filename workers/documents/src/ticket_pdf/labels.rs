//! The fixed words of a ticket.

use crate::Language;

/// One word or phrase for each place on the page.
pub(super) struct Labels {
    pub admit_one: &'static str,
    pub ticket: &'static str,
    pub of: &'static str,
    pub date: &'static str,
    pub time: &'static str,
    pub venue: &'static str,
    pub hall: &'static str,
    pub entrance: &'static str,
    pub area: &'static str,
    pub row: &'static str,
    pub seat: &'static str,
    pub this_ticket: &'static str,
    pub fees: &'static str,
    pub total: &'static str,
    /// Before the rate of a tax, and after it.
    pub includes: &'static str,
    pub tax: &'static str,
    pub minutes: &'static str,
    /// Instead of row and seat where there are none.
    pub admission: &'static str,
    pub free_seating: &'static str,
    pub booking: &'static str,
    pub show_code: &'static str,
}

impl Labels {
    pub(super) fn of(language: Language) -> &'static Labels {
        match language {
            Language::En => &EN,
            Language::De => &DE,
        }
    }
}

static EN: Labels = Labels {
    admit_one: "ADMIT ONE",
    ticket: "Ticket",
    of: "of",
    date: "DATE",
    time: "TIME",
    venue: "VENUE",
    hall: "HALL",
    entrance: "ENTRANCE",
    area: "AREA",
    row: "ROW",
    seat: "SEAT",
    this_ticket: "THIS TICKET",
    fees: "Fees",
    total: "Booking total",
    includes: "includes",
    tax: "tax",
    minutes: "minutes",
    admission: "ADMISSION",
    free_seating: "General admission",
    booking: "BOOKING",
    show_code: "Show this code at the entrance",
};

static DE: Labels = Labels {
    admit_one: "EINLASS FÜR EINE PERSON",
    ticket: "Karte",
    of: "von",
    date: "DATUM",
    time: "BEGINN",
    venue: "ORT",
    hall: "SAAL",
    entrance: "EINGANG",
    area: "BEREICH",
    row: "REIHE",
    seat: "PLATZ",
    this_ticket: "DIESE KARTE",
    fees: "Gebühren",
    total: "Buchung gesamt",
    includes: "darin",
    tax: "Steuer",
    minutes: "Minuten",
    admission: "EINTRITT",
    free_seating: "Freie Platzwahl",
    booking: "BUCHUNG",
    show_code: "Diesen Code am Einlass vorzeigen",
};
