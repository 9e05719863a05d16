//! `report.html`: one file that opens anywhere.

use super::{
    Planted, Report, chart,
    chart::escape,
    markdown::{figures, listed},
};
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1d2733;\
background:#fff}table{border-collapse:collapse;width:100%;margin:1rem 0}td,th{border-bottom:1px solid #d9dee4;padding:.25rem \
.5rem;text-align:left;vertical-align:top}pre{background:#f2f4f7;padding:.6rem;overflow:auto}svg{width:100%;font-size:11px}\
.grid{stroke:#d9dee4}.fault{fill:#e76f51;opacity:.18}.dud{fill:#8a94a0;opacity:.15}polyline{fill:none;stroke-width:1.6}\
polyline.p50{stroke:#457b9d}polyline.p95{stroke:#c1121f}.bar.p50{fill:#457b9d}.bar.p95{fill:#c1121f}.bad{color:#c1121f;\
font-weight:600}.good{color:#2a7f4f;font-weight:600}";

/// The whole page.
#[must_use]
pub(super) fn page(report: &Report) -> String {
    let clean = report.summary.is_clean();
    let (class, verdict) = if clean {
        ("good", "nothing found")
    } else {
        ("bad", "violations")
    };
    let seed = report.seed;
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Chaos run, seed {seed}</title><style>{STYLE}</style>\
         <h1>Chaos run, seed {seed}: <span class=\"{class}\">{verdict}</span></h1><pre>{}</pre>",
        escape(&report.command)
    );
    let machine = &report.machine;
    let versions: Vec<String> = machine
        .versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let _ = write!(
        html,
        "<p>Commit {}, {} cores, {} MiB, {}. {}.</p>",
        escape(&machine.commit),
        machine.cores,
        machine.memory_mib,
        escape(&machine.system),
        escape(&versions.join(", "))
    );
    let rows = figures(report)
        .into_iter()
        .map(|(name, value)| vec![name, value]);
    table(&mut html, &[], rows);
    let _ = write!(
        html,
        "<h2>From 202 to completed</h2><p>Blue: median; red: 95th percentile, of what was accepted in ten seconds. \
         Bands: faults; grey ones were ineffective.</p>{}<p>Blue: without faults; red: with them.</p>{}",
        chart::latency(report),
        chart::spreads(report)
    );
    html += "<h2>Workload</h2>";
    let rows = report.workload.iter();
    table(
        &mut html,
        &["visit", "outcomes"],
        rows.map(|(course, outcomes)| vec![course.clone(), listed(outcomes)]),
    );
    html += "<h2>Checks</h2>";
    let rows = report.checks.checks.iter().map(|check| {
        let found = check.error.clone();
        let found = found.unwrap_or_else(|| check.violations.to_string());
        let (id, name) = (check.id.clone(), check.name.clone());
        vec![id, name, check.looked_at.to_string(), found]
    });
    table(
        &mut html,
        &["check", "promise", "looked at", "violations"],
        rows,
    );
    html += "<ul>";
    for line in report.checks.complaints().iter().chain(&report.stuck) {
        let _ = write!(html, "<li class=\"bad\">{}</li>", escape(line));
    }
    html += "</ul>";
    html += "<h2>Planted bugs</h2>";
    let planted = report.planted.rows().into_iter();
    table(&mut html, &Planted::HEADS, planted);
    html += "<h2>Timeline</h2>";
    let rows = report.timeline.iter().map(|struck| {
        let effect = struck.trouble.clone().or_else(|| struck.effect.clone());
        let seconds = |at: f64| format!("{at:.1} s");
        vec![
            seconds(struck.struck_at_s),
            seconds(struck.healed_at_s),
            struck.kind.clone(),
            struck.target.clone(),
            effect.unwrap_or_else(|| "ineffective".to_owned()),
            struck
                .recovered_after_s
                .map_or_else(|| "never seen".to_owned(), seconds),
        ]
    });
    let heads = [
        "from",
        "until",
        "kind",
        "target",
        "effect",
        "recovered after",
    ];
    table(&mut html, &heads, rows);
    html + "</html>"
}

fn table(html: &mut String, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    *html += "<table>";
    if !heads.is_empty() {
        *html += "<tr>";
        for head in heads {
            let _ = write!(html, "<th>{head}</th>");
        }
        *html += "</tr>";
    }
    for row in rows {
        *html += "<tr>";
        for cell in row {
            let _ = write!(html, "<td>{}</td>", escape(&cell));
        }
        *html += "</tr>";
    }
    *html += "</table>";
}
